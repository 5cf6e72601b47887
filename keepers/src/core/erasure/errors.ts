import { AssayError, BadInputError, exitCode } from "../errors.ts";

/** Fewer shards are there than the data has; nothing can be decoded. */
export class TooFewShardsError extends AssayError {
  override readonly name = "TooFewShardsError";
  readonly present: number;
  readonly needed: number;

  constructor(present: number, needed: number) {
    super(`only ${present} of the ${needed} shards needed are there`, {
      kept: present === 0 ? undefined : `the ${present} shards found are unchanged`,
      next: `find ${needed - present} more of this code's shards and try again`,
      exitCode: exitCode.unavailable,
    });
    this.present = present;
    this.needed = needed;
  }
}

/** Shards or buffers whose number or lengths do not fit the code. */
export class ShardShapeError extends BadInputError {
  override readonly name = "ShardShapeError";
}
