import type { Hex } from "viem";
import type { Lookout, Outcome } from "./outcome.ts";
import type { Parts } from "./perform.ts";
import type { Action } from "./steps.ts";

/** What is going on with the step of an action. */
export type Phase =
  | { readonly kind: "ready" }
  | { readonly kind: "asking" }
  /** `trouble`: why the chain cannot be asked at the moment. */
  | { readonly kind: "sent"; readonly hash: Hex; readonly trouble?: string }
  | { readonly kind: "over"; readonly hash: Hex | undefined }
  | { readonly kind: "failed"; readonly words: string; readonly hash?: Hex }
  /** Something else took its place, `other` where that is known. */
  | { readonly kind: "passed over"; readonly hash: Hex; readonly other: Hex | undefined };

/** An action that a visitor has begun. */
export type Begun = {
  readonly action: Action;
  /** Its step, counted from 0. */
  readonly at: number;
  readonly phase: Phase;
  readonly isShown: boolean;
  /** Title of another action that was to be begun meanwhile. */
  readonly next?: string;
};

type Watch = { readonly hash: Hex; readonly lookout: Lookout; readonly pause: number };

const endings: Record<"reverted" | "cancelled" | "replaced", string> = {
  reverted:
    "The contract refused it when its block was made: things had changed meanwhile. Only its gas was spent.",
  cancelled:
    "It was cancelled in the wallet: another transaction took its place, and this one never happened.",
  replaced: "The wallet replaced it by another transaction: this one never happened.",
};

/** Whether a wallet has been asked, or a transaction sent, of which nobody knows yet what becomes of it. */
function isUnderWay({ phase }: Begun): boolean {
  return phase.kind === "asking" || phase.kind === "sent";
}

/**
 * Carries out one action at a time, whether its dialog is looked at or not: a wallet may take minutes to answer, and what it
 * was asked once is not asked again meanwhile.
 */
export class ActionRunner {
  #begun: Begun | undefined;
  #watch: Watch | undefined;
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): Begun | undefined => this.#begun;

  /** Shows an action; while another one is under way, that one. */
  begin(action: Action): void {
    const begun = this.#begun;
    if (begun !== undefined && isUnderWay(begun)) this.#set({ ...begun, isShown: true, next: action.title });
    else this.#set({ action, at: 0, phase: { kind: "ready" }, isShown: true });
  }

  show(): void {
    if (this.#begun !== undefined) this.#set({ ...this.#begun, isShown: true });
  }

  /** Takes an action out of sight, to be come back to. */
  hide(): void {
    if (this.#begun !== undefined) this.#set({ ...this.#begun, isShown: false, next: undefined });
  }

  /** Takes an action out of sight. What is under way goes on; what is not is given up. */
  leave(): void {
    const begun = this.#begun;
    if (begun === undefined) return;
    this.#set(isUnderWay(begun) ? { ...begun, isShown: false, next: undefined } : undefined);
  }

  /** Asks the wallet for the step that is due. */
  async perform(parts: Parts): Promise<void> {
    const begun = this.#begun;
    if (begun === undefined || isUnderWay(begun) || begun.phase.kind === "over") return;
    const step = begun.action.steps[begun.at];
    if (step === undefined) return;
    this.#phase({ kind: "asking" });
    try {
      const { send, sign } = await import("./perform.ts");
      if (step.kind === "sign") {
        await sign(parts, step);
        this.#next(undefined);
        return;
      }
      this.#watch = await send(parts, step);
      await this.lookAgain();
    } catch (error) {
      const { walletWords } = await import("../wallet/words.ts");
      this.#phase({ kind: "failed", words: walletWords(error) });
    }
  }

  /** Looks what has become of the transaction that was sent, until that is known. */
  async lookAgain(): Promise<void> {
    const watch = this.#watch;
    if (watch === undefined) return;
    const { hash, lookout, pause } = watch;
    this.#phase({ kind: "sent", hash });
    const { waitFor } = await import("./outcome.ts");
    const { messageOf } = await import("../ui/message.ts");
    const outcome = await waitFor(lookout, pause, (trouble) =>
      this.#phase({ kind: "sent", hash, ...(trouble !== undefined && { trouble: messageOf(trouble) }) }),
    );
    this.#ended(hash, outcome);
  }

  #ended(sent: Hex, { kind, hash }: Outcome): void {
    if (kind === "done" || kind === "sped up") this.#next(hash);
    else if (kind === "passed over") this.#phase({ kind, hash: sent, other: hash });
    else this.#phase({ kind: "failed", words: endings[kind], hash });
  }

  #next(hash: Hex | undefined): void {
    const begun = this.#begun!;
    const { action, at, isShown } = begun;
    if (at + 1 < action.steps.length) {
      this.#set({ ...begun, at: at + 1, phase: { kind: "ready" } });
      return;
    }
    this.#phase({ kind: "over", hash });
    action.done(hash, isShown);
  }

  #phase(phase: Phase): void {
    if (this.#begun !== undefined) this.#set({ ...this.#begun, phase });
  }

  #set(begun: Begun | undefined): void {
    this.#begun = begun;
    for (const listener of this.#listeners) listener();
  }
}

/** The page's runner: one wallet is asked one thing at a time. */
export const runner = new ActionRunner();
