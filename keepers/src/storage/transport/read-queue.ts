/** Short pieces are copied together into blocks of this size, in bytes. */
const blockBytes = 16 * 1024;
/**
 * From this length on a piece is kept as it came. It may be a view on a buffer of 64 KiB, all of which stays in memory with it:
 * shorter ones are copied.
 */
const longPiece = 2 * blockBytes;
/** What an array takes in memory beside its bytes. */
const arrayBytes = 200;

type Block = {
  readonly bytes: Uint8Array;
  /** First byte that was not read yet, and the one behind the last that has come. */
  start: number;
  end: number;
  /** Whether further pieces may be copied behind the last byte. */
  readonly isOpen: boolean;
};

/** Bytes that have come and are not read yet, in few arrays, however many pieces they came in. */
export class ReadQueue {
  readonly #blocks: Block[] = [];
  #held = 0;

  get isEmpty(): boolean {
    return this.#blocks.length === 0;
  }

  /** Bytes of memory that are held, which is never much less than what has come. */
  get held(): number {
    return this.#held;
  }

  /** Adds a piece. The array may be used for something else afterwards only if it is shorter than {@link longPiece}. */
  push(piece: Uint8Array): void {
    if (piece.length >= longPiece) {
      this.#add({ bytes: piece, start: 0, end: piece.length, isOpen: false });
      return;
    }
    const last = this.#blocks.at(-1);
    const room = last?.isOpen === true ? last.bytes.length - last.end : 0;
    const fitting = piece.subarray(0, room);
    if (last !== undefined && fitting.length > 0) {
      last.bytes.set(fitting, last.end);
      last.end += fitting.length;
    }
    const rest = piece.subarray(fitting.length);
    if (rest.length === 0) return;
    // The first piece is mostly read before the next one comes.
    const bytes = new Uint8Array(this.isEmpty ? rest.length : Math.max(blockBytes, rest.length));
    bytes.set(rest);
    this.#add({ bytes, start: 0, end: rest.length, isOpen: true });
  }

  /** The next bytes, at most so many. There must be some. */
  take(most: number): Uint8Array {
    const block = this.#blocks[0]!;
    const taken = block.bytes.subarray(block.start, Math.min(block.end, block.start + most));
    block.start += taken.length;
    if (block.start === block.end) {
      this.#blocks.shift();
      this.#held -= sizeOf(block);
    }
    return taken;
  }

  clear(): void {
    this.#blocks.length = 0;
    this.#held = 0;
  }

  #add(block: Block): void {
    this.#blocks.push(block);
    this.#held += sizeOf(block);
  }
}

function sizeOf({ bytes }: Block): number {
  return bytes.length + arrayBytes;
}
