import { MalformedMessageError } from "../transport/errors.ts";

/** Longest message of bitswap that is read or sent, in bytes: four blocks. */
export const bitswapMessageBytes = 2 ** 20;

/** What parts of messages take of the thread, in tenths of a millisecond. */
export const bitswapPrices = {
  /** A message: an event, a limit of time, and a look for each block that its sender wants and that is not here. */
  message: 2,
  /** A block that is wanted, and looked for on disk. */
  want: 0.5,
  /** A block that is sent, and hashed. */
  block: 0.5,
  /** A word on whether a peer has a block. */
  presence: 0.2,
  /** Any other field: it may come in one message half a million times. */
  field: 0.02,
} as const;

/** How a field is encoded: as a number, or as bytes after their length. */
const asNumber = 0;
const asBytes = 2;

type Field = {
  readonly encoded: number;
  readonly inner?: Part;
  /** Bytes that it has at most: what the library does with them grows with their number, and the price of its part does not. */
  readonly most?: number;
};
type Part = { readonly price: number; readonly fields: Readonly<Record<number, Field>> };

/** What a CID has before its hash: four numbers. */
const prefixBytes = 4 * 10;
/** Longest hash that other implementations take. */
const hashBytes = 128;
/** The library takes the numbers off one by one, and copies what is left each time: two and a half seconds for 200 kB of them. */
const prefix: Field = { encoded: asBytes, most: prefixBytes };
/** The library makes text of the hash of what is wanted, 25 ms for 1 MiB, and keeps it. */
const cid: Field = { encoded: asBytes, most: prefixBytes + hashBytes };

const want: Part = {
  price: bitswapPrices.want,
  fields: {
    1: cid,
    2: { encoded: asNumber },
    3: { encoded: asNumber },
    4: { encoded: asNumber },
    5: { encoded: asNumber },
  },
};
const wantlist: Part = {
  price: bitswapPrices.field,
  fields: { 1: { encoded: asBytes, inner: want }, 2: { encoded: asNumber } },
};
const block: Part = {
  price: bitswapPrices.block,
  fields: { 1: prefix, 2: { encoded: asBytes } },
};
const presence: Part = {
  price: bitswapPrices.presence,
  fields: { 1: cid, 2: { encoded: asNumber } },
};
const message: Part = {
  price: bitswapPrices.message,
  fields: {
    1: { encoded: asBytes, inner: wantlist },
    3: { encoded: asBytes, inner: block },
    4: { encoded: asBytes, inner: presence },
    5: { encoded: asNumber },
  },
};

/**
 * What the messages of a stream cost, told from their bytes as they come and before the library sees them: it decodes a whole
 * message, and all messages of a piece, in one go. Messages come with their length as a varint before them and are of protocol
 * buffers. What the library would read in another way than this does is refused, so that nothing hides in it: numbers of more than
 * five bytes, save values of ten, groups, known fields of another kind and parts that reach beyond the whole.
 */
export class BitswapCost {
  /** Bytes that were read, and where the message and the parts of it end that are being read, the outermost first. */
  #at = 0;
  readonly #open: { readonly part: Part; readonly end: number }[] = [];
  /** The varint that is being read, and what it says. */
  #value = 0;
  #length = 0;
  #reads: "length" | "tag" | "number" | "size" = "length";
  #field: Field | undefined;
  /** Bytes to come that say nothing. */
  #skip = 0;
  #cost = 0;
  #messages = 0;

  /** Messages whose end has come. */
  get messages(): number {
    return this.#messages;
  }

  /**
   * @returns the price of what begins in these bytes, which follow those of the last call
   * @throws MalformedMessageError where they are no messages of bitswap, or are empty: no implementation sends such
   */
  add(bytes: Uint8Array): number {
    this.#cost = 0;
    for (let at = 0; at < bytes.length; ) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        this.#at += skipped;
        at += skipped;
        if (this.#skip === 0) this.#endField();
      } else {
        this.#at++;
        this.#addByte(bytes[at++]!);
      }
    }
    return this.#cost;
  }

  #addByte(byte: number): void {
    this.#value += (byte & 0x7f) * 2 ** (7 * this.#length++);
    if (byte >= 0x80) {
      if (this.#length === 10) throw malformed("a number of it is too long");
      if (this.#open.length > 0) this.#requireWithin(this.#at + 1);
      return;
    }
    const [value, length] = [this.#value, this.#length];
    [this.#value, this.#length] = [0, 0];
    // After five bytes the library takes five more, whatever they are. Nobody writes more for a tag or a size, and for a value
    // either as few or, below zero, ten.
    const isOdd = length > 5 && (this.#reads !== "number" || length < 10);
    if (isOdd && this.#reads !== "length") throw malformed("a number of it has an odd length");
    if (this.#reads === "length") {
      // The library takes a length to be as short as it can be, wherever it ends.
      if (value === 0 || value > bitswapMessageBytes || (byte === 0 && length > 1)) {
        throw malformed(`it says that it has ${value} bytes`);
      }
      this.#enter(message, value);
    } else if (this.#reads === "tag") {
      // The library drops what does not fit into 32 bits. Of a size such bits make a part that is longer than the whole.
      if (value >= 2 ** 32) throw malformed("a field of it has too high a number");
      this.#beginField(Math.floor(value / 8), value % 8);
    } else if (this.#reads === "number") {
      this.#endField();
    } else if (this.#field?.inner !== undefined) this.#enter(this.#field.inner, value);
    else {
      if (value > (this.#field?.most ?? value)) throw malformed(`a CID in it has ${value} bytes`);
      this.#pass(value);
    }
  }

  #beginField(number: number, encoded: number): void {
    this.#field = this.#open.at(-1)!.part.fields[number];
    if (this.#field !== undefined && this.#field.encoded !== encoded) {
      throw malformed(`its field ${number} is of another kind`);
    }
    this.#cost += bitswapPrices.field;
    if (encoded === asNumber || encoded === asBytes) {
      // Now, because the library is handed a message when its last byte comes, whether or not more follows.
      this.#requireWithin(this.#at + 1);
      this.#reads = encoded === asNumber ? "number" : "size";
    } else if (encoded === 1) this.#pass(8);
    else if (encoded === 5) this.#pass(4);
    else throw malformed("it has a field of no known kind");
  }

  #enter(part: Part, length: number): void {
    const end = this.#at + length;
    if (this.#open.length > 0) this.#requireWithin(end);
    this.#cost += part.price;
    this.#open.push({ part, end });
    this.#endField();
  }

  #pass(length: number): void {
    this.#requireWithin(this.#at + length);
    this.#skip = length;
    if (length === 0) this.#endField();
  }

  /** Leaves what ends here: parts, and the message. */
  #endField(): void {
    while (this.#open.at(-1)?.end === this.#at) this.#open.pop();
    if (this.#open.length > 0) this.#reads = "tag";
    else {
      this.#reads = "length";
      this.#messages++;
    }
  }

  #requireWithin(end: number): void {
    if (end > this.#open.at(-1)!.end) throw malformed("a part of it is longer than the whole");
  }
}

function malformed(what: string): MalformedMessageError {
  return new MalformedMessageError(`of bitswap: ${what}`);
}
