import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import {
  CommitteeLedger,
  committeeHandler,
  committeeSchema,
} from "../../../../keepers/src/roles/validator/committee-ledger.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { word } from "../doubles.ts";

/** A ledger of committees that a test tells events of, one in each block. */
export class ToldCommittees {
  readonly state = openState({ path: ":memory:", schemas: [committeeSchema] });
  readonly ledger = new CommitteeLedger(this.state);
  #block = 0;

  tell(contract: "Committee" | "ValidatorSet", eventName: string, args: object): AssayEvent {
    const block = ++this.#block;
    const at = { blockNumber: BigInt(block), blockHash: word(block), logIndex: 0 };
    const event = { contract, eventName, ...at, transactionHash: word(block), args } as unknown as AssayEvent;
    committeeHandler.applied(event, this.state);
    return event;
  }

  /** A reorganisation takes an event back. */
  takeBack(event: AssayEvent): void {
    committeeHandler.removed(event, this.state);
  }

  close(): void {
    this.state.close();
  }
}
