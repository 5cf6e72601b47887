import type { Program } from "../../core/exact/tape/types.ts";
import { StateForm } from "./forms.ts";

type Snapshot = { readonly digest: string; readonly state: readonly Int32Array[] };

const nothing = new Uint8Array();

/** The state that is being worked on, in the forms that workers can need it in: each is made once, for all of them. */
export class Snapshots {
  readonly form: StateForm;
  #now: Snapshot | undefined;
  #before: Snapshot | undefined;
  #whole: Uint8Array | undefined;
  #change: Uint8Array | undefined;

  constructor(program: Program) {
    this.form = new StateForm(program);
  }

  get current(): readonly Int32Array[] {
    return this.#now!.state;
  }

  /** The state must not be changed afterwards. */
  set(state: readonly Int32Array[]): void {
    if (this.#now?.state === state) return;
    this.#before = this.#now;
    this.#now = { digest: this.form.digest(state), state };
    this.#whole = undefined;
    this.#change = undefined;
  }

  /** What brings a worker that holds the state with this digest to the current one. */
  since(holds: string | undefined): { state: string; since: string | undefined; bytes: Uint8Array } {
    const { digest, state } = this.#now!;
    if (holds === digest) return { state: digest, since: digest, bytes: nothing };
    const before = this.#before;
    if (before !== undefined && holds === before.digest) {
      this.#change ??= this.form.encode(state, before.state);
      return { state: digest, since: holds, bytes: this.#change };
    }
    this.#whole ??= this.form.encode(state);
    return { state: digest, since: undefined, bytes: this.#whole };
  }
}
