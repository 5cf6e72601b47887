import assert from "node:assert/strict";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  BitswapCost,
  bitswapMessageBytes,
  bitswapPrices,
} from "../../../../keepers/src/storage/backends/bitswap-cost.ts";
import { generator } from "../random.ts";

/** What the library reads a message with: its own reader, whose calls can be counted. */
type Reader = { readonly pos: number; readonly len: number; skipType(encoded: number): Reader };
type Decoded = { readonly blocks: unknown[]; readonly blockPresences: unknown[] };
type Event = { readonly type?: "start" | "end"; readonly message?: string };
type Messages = {
  encode(message: object): Uint8Array;
  decode(bytes: Uint8Array): Decoded;
  codec(): { stream(reader: Reader, length: undefined, prefix: string): Iterable<Event> };
};

// These are no part of what the packages export, and of the versions that the library itself loads.
const bitswap = import.meta.resolve("@helia/bitswap");
const { BitswapMessage } = (await import(new URL("pb/message.js", bitswap).href)) as {
  BitswapMessage: Messages;
};
const { reader: createReader } = (await ofBitswap("protons-runtime")) as {
  reader(bytes: Uint8Array): Reader;
};
const { decode: split } = (await ofBitswap("it-length-prefixed")) as {
  decode(pieces: Uint8Array[], options: object): Iterable<{ subarray(): Uint8Array }>;
};

async function ofBitswap(name: string): Promise<unknown> {
  const folder = dirname(findPackageJSON(name, bitswap)!);
  return import(pathToFileURL(join(folder, "dist/src/index.js")).href);
}

/** Of each sort. */
const cases = 10_000;

const { message, want, block, presence, field } = bitswapPrices;
const priceOf: Readonly<Record<string, number>> = {
  Wantlist: field,
  WantlistEntry: want,
  Block: block,
  BlockPresence: presence,
};

/** The price of what was read, how many parts that was, and why the library gave the message up, if it did. */
type Reading = { readonly cost: number; readonly parts: number; readonly error?: Error };

/** What the library reads of a message, in the order of its bytes. */
function readByLibrary(bytes: Uint8Array): Reading {
  const reader = createReader(bytes);
  let cost: number = message;
  const parts: string[] = [];
  const skipType = reader.skipType.bind(reader);
  reader.skipType = (kind) => {
    cost += field;
    return skipType(kind);
  };
  try {
    for (const { type, message: part = "" } of BitswapMessage.codec().stream(reader, undefined, ".")) {
      if (type === "end") continue;
      cost += field;
      if (type !== "start") continue;
      cost += priceOf[part]!;
      parts.push(part);
    }
  } catch (error) {
    // All that it may not understand of what is well formed: a number that stands for no word.
    assert.equal((error as Error).message, "Invalid enum value");
    assert.throws(() => BitswapMessage.decode(bytes), { message: "Invalid enum value" });
    return { cost, parts: parts.length, error: error as Error };
  }
  assert.equal(reader.pos, reader.len, "it ends elsewhere");
  const { blocks, blockPresences } = BitswapMessage.decode(bytes);
  const count = (name: string): number => parts.filter((part) => part === name).length;
  assert.deepEqual([blocks.length, blockPresences.length], [count("Block"), count("BlockPresence")]);
  return { cost, parts: parts.length };
}

type Random = ReturnType<typeof generator>;

/** Messages of all sorts: most as encoders write them, and others whose numbers, kinds and lengths are not what they should be. */
class Writer {
  readonly #random: Random;
  /** One of how many numbers, kinds and lengths is odd. */
  readonly #oneIn: number;

  constructor(random: Random, oneIn: number) {
    [this.#random, this.#oneIn] = [random, oneIn];
  }

  #isOdd(): boolean {
    return this.#oneIn < Number.POSITIVE_INFINITY && this.#random.integer(this.#oneIn) === 0;
  }

  /** A varint, which may have up to eleven bytes and bits that no number of 32 has. */
  number(value: number): number[] {
    const bytes: number[] = [];
    for (let rest = value; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
      bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
    }
    if (!this.#isOdd()) return bytes;
    const length = Math.max(bytes.length, 1 + this.#random.integer(11));
    while (bytes.length < length) {
      bytes[bytes.length - 1]! |= 0x80;
      bytes.push(0);
    }
    if (length >= 5 && this.#isOdd()) bytes[4]! |= 1 << this.#random.integer(7);
    return bytes;
  }

  tag(number: number, encoded: number): number[] {
    return this.number(number * 8 + (this.#isOdd() ? this.#random.integer(8) : encoded));
  }

  sized(number: number, bytes: readonly number[]): number[] {
    const length = Math.max(0, bytes.length + (this.#isOdd() ? this.#random.integer(9) - 4 : 0));
    return [...this.tag(number, 2), ...this.number(length), ...bytes];
  }

  valued(number: number, most = 2 ** 31): number[] {
    const value = this.#random.integer(8) === 0 ? this.#random.integer(2 ** 31) : this.#random.integer(2);
    const isBelowZero = most > 2 && this.#random.integer(16) === 0;
    const written = isBelowZero ? [...Array<number>(9).fill(0xff), 1] : this.number(Math.min(value, most));
    return [...this.tag(number, 0), ...written];
  }

  /** A field that the library does not know. What it has may look like a block, a want or a presence. */
  #unknown(): number[] {
    const number = [2, 6, 15, 16, 1000, 2 ** 29 - 1][this.#random.integer(6)]!;
    const inside = [0x1a, 0, 0x1a, 0, 0x22, 0, 0x0a, 2, 0x0a, 0].slice(this.#random.integer(10));
    const kind = this.#random.integer(8);
    if (kind === 0) return [...this.tag(number, 5), 0x1a, 0, 0x22, 0];
    if (kind === 1) return [...this.tag(number, 1), 0x1a, 0, 0x22, 0, 0x1a, 0, 0x22, 0];
    if (kind === 2) return this.valued(number);
    return this.sized(number, inside);
  }

  fields(...kinds: (() => number[])[]): number[] {
    const bytes: number[] = [];
    for (let fields = this.#random.integer(5); fields > 0; fields--) {
      const kind = kinds[this.#random.integer(kinds.length + 1)];
      bytes.push(...(kind === undefined ? this.#unknown() : kind()));
    }
    return bytes;
  }

  #some = (): number[] => [...this.#random.bytes(this.#random.integer(12))];

  body(): number[] {
    const wanted = (): number[] =>
      this.fields(
        () => this.sized(1, this.#some()),
        () => this.valued(2),
        () => this.valued(4, 1),
        () => this.valued(5, 1),
      );
    const list = (): number[] =>
      this.fields(
        () => this.sized(1, wanted()),
        () => this.valued(2, 1),
      );
    const sent = (): number[] =>
      this.fields(
        () => this.sized(1, this.#some()),
        () => this.sized(2, this.#some()),
      );
    const said = (): number[] =>
      this.fields(
        () => this.sized(1, this.#some()),
        () => this.valued(2, 1),
      );
    return this.fields(
      () => this.sized(1, list()),
      () => this.sized(3, sent()),
      () => this.sized(4, said()),
      () => this.valued(5),
    );
  }
}

/** As the library's encoder writes it. */
function encoded(random: Random): number[] {
  const each = <T>(make: () => T): T[] => Array.from({ length: random.integer(4) }, make);
  const bytes = (): Uint8Array => random.bytes(random.integer(40));
  return [
    ...BitswapMessage.encode({
      wantlist: { entries: each(() => ({ cid: bytes(), priority: random.integer(2 ** 31), cancel: false })) },
      blocks: each(() => ({ prefix: bytes(), data: bytes() })),
      blockPresences: each(() => ({
        cid: bytes(),
        type: ["HaveBlock", "DoNotHaveBlock"][random.integer(2)],
      })),
      pendingBytes: random.integer(2 ** 31) * (random.integer(2) === 0 ? 1 : -1),
    }),
  ];
}

/** Changes a byte, takes some out, puts some in or cuts the end off. */
function mutate(random: Random, bytes: number[]): void {
  const at = random.integer(bytes.length + 1);
  const kind = random.integer(5);
  if (kind === 0 && at < bytes.length) bytes[at] = random.integer(256);
  else if (kind === 1 && at < bytes.length) bytes[at]! ^= 1 << random.integer(8);
  else if (kind === 2) bytes.splice(at, 1 + random.integer(4));
  else if (kind === 3) bytes.splice(at, 0, ...Array<number>(random.integer(6)).fill(0x80), 0);
  else if (random.integer(4) === 0) bytes.length = at;
  else bytes.splice(at, 0, ...random.bytes(1 + random.integer(4)));
}

/** One to three messages, each with its length before it, which may be odd as well. */
function messages(random: Random, writer: Writer, body: () => number[]): Uint8Array {
  const bytes: number[] = [];
  for (let count = 1 + random.integer(3); count > 0; count--) {
    const each = body();
    bytes.push(...writer.number(each.length), ...each);
  }
  return Uint8Array.from(bytes);
}

/** @returns the price by the guard, in pieces of any length, or nothing where it gives the messages up */
function guard(random: Random, bytes: Uint8Array): { cost: number; messages: number } | undefined {
  const costs = new BitswapCost();
  let cost = 0;
  try {
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random.integer(bytes.length);
      cost += costs.add(bytes.subarray(at, at + length));
      at += length;
    }
  } catch (error) {
    assert.equal((error as Error).name, "MalformedMessageError");
    return undefined;
  }
  return { cost, messages: costs.messages };
}

/** @throws AssertionError where the library reads something else than what the guard took the price of */
function compare(charged: { cost: number; messages: number }, bytes: Uint8Array): Reading[] {
  const readings: Reading[] = [];
  let isWhole = true;
  try {
    for (const each of split([bytes], { maxDataLength: bitswapMessageBytes })) {
      readings.push(readByLibrary(each.subarray()));
    }
  } catch (error) {
    if ((error as Error).name !== "UnexpectedEOFError") throw error;
    isWhole = false;
  }
  assert.equal(readings.length, charged.messages);
  const read = readings.reduce((sum, { cost }) => sum + cost, 0);
  const isReadWhole = isWhole && readings.every(({ error }) => error === undefined);
  const difference = charged.cost - read;
  assert.ok(difference > -1e-6, `it reads for ${read} what is charged ${charged.cost}`);
  assert.ok(!isReadWhole || difference < 1e-6, `it reads for only ${read} what is charged ${charged.cost}`);
  return readings;
}

describe("what the library reads of messages of bitswap is what the guard took the price of", () => {
  for (const [name, oneIn, mutations] of [
    ["as encoders write them", Number.POSITIVE_INFINITY, 0],
    ["with odd numbers, kinds and lengths", 40, 0],
    ["with many odd numbers, kinds and lengths", 8, 0],
    ["that were mutated", Number.POSITIVE_INFINITY, 3],
    ["that are odd and were mutated", 60, 2],
  ] as const) {
    test(`attack: nothing hides in messages ${name}`, () => {
      let [heard, parts, refused] = [0, 0, 0];
      for (let seed = 0; seed < cases; seed++) {
        const random = generator(seed);
        const writer = new Writer(random, oneIn);
        const bytes = messages(random, writer, () => {
          const body = random.integer(3) === 0 ? encoded(random) : writer.body();
          for (let count = random.integer(mutations + 1); count > 0; count--) mutate(random, body);
          return body;
        });
        const charged = guard(random, bytes);
        if (charged === undefined) {
          refused++;
          continue;
        }
        try {
          for (const reading of compare(charged, bytes)) parts += reading.parts;
        } catch (error) {
          assert.fail(`${(error as Error).message}: ${Buffer.from(bytes).toString("hex")}`);
        }
        heard++;
      }
      // Little would be said by messages that are refused, or have nothing in them.
      assert.ok(heard > cases / 20 && parts > heard, `${heard} were heard, with ${parts} parts`);
      if (oneIn < cases || mutations > 0) assert.ok(refused > cases / 20, `${refused} were refused`);
    });
  }
});
