/** Answers that are encoded as no library would. */
import { concatHex, type Hex, numberToHex, size, slice } from "viem";
import { encodeMove, type Move, type Round } from "../../../../keepers/src/training/dispute/moves.ts";
import { selectorOf } from "../../../../keepers/src/training/dispute/posted.ts";

export const word = (value: number | bigint): Hex => numberToHex(value, { size: 32, signed: value < 0 });
/** Bytes of a round. */
export const roundBytes = 35 * 32;

const list = (hashes: readonly Hex[]): Hex => concatHex([word(hashes.length), ...hashes]);
function bytes(content: Hex): Hex {
  const padding = (32 - (size(content) % 32)) % 32;
  return concatHex([word(size(content)), content, `0x${"ff".repeat(padding)}`]);
}

/** A call whose parts come last to first, with something between them that nobody reads. */
function backwards(round: Round, head: (at: (part: number) => number) => Hex[], parts: readonly Hex[]): Hex {
  const heads = head(() => 0).length * 32;
  const gap: Hex = `0x${"ee".repeat(32)}`;
  const starts: number[] = [];
  let body: Hex = "0x";
  for (let part = parts.length - 1; part >= 0; part--) {
    body = concatHex([body, gap]);
    starts[part] = roundBytes + heads + size(body);
    body = concatHex([body, parts[part]!]);
  }
  const encoded = slice(
    encodeMove(round, { book: "range", name: "postSums", args: ["0x"] }),
    4,
    4 + roundBytes,
  );
  return concatHex([encoded, ...head((part) => starts[part]!), body]);
}

/** The moves of a provider that makes its answers hard to read: offsets lead backwards, padding is not zero. */
export function hardToRead(round: Round, move: Move): Hex {
  const { name, args } = move;
  const selector = selectorOf(name);
  const call = (head: (at: (part: number) => number) => Hex[], parts: readonly Hex[]): Hex =>
    concatHex([selector, backwards(round, head, parts)]);
  // Parts 1 and on are those of the struct that is part 0; it is laid down last, so that they stand before it.
  const struct = (make: (offset: (part: number) => Hex) => Hex[], parts: readonly Hex[]): Hex => {
    let found: Hex = "0x";
    for (let pass = 0; pass < 2; pass++) {
      let starts: number[] = [];
      const head = (at: (part: number) => number): Hex[] => {
        starts = [0, ...parts.map((_, i) => at(i + 1))];
        starts[0] = at(0);
        return [word(at(0))];
      };
      call(head, [concatHex(make(() => word(0))), ...parts]);
      found = call(head, [concatHex(make((part) => word(starts[part]! - starts[0]!))), ...parts]);
    }
    return found;
  };
  switch (name) {
    case "postStates": {
      const [{ salt, witnesses, roots }] = args as [{ salt: Hex; witnesses: Hex[]; roots: Hex[] }];
      return struct((offset) => [salt, offset(1), offset(2)], [list(witnesses), list(roots)]);
    }
    case "postTensors": {
      const [{ nodes, siblings }] = args as [{ nodes: Hex[]; siblings: Hex[] }];
      return struct((offset) => [offset(1), offset(2)], [list(nodes), list(siblings)]);
    }
    case "postHashes":
      return call((at) => [word(args[0] as bigint), word(at(0))], [list(args[1] as Hex[])]);
    case "postLeaf":
      return call((at) => [word(at(0))], [bytes(args[0] as Hex)]);
    case "postNodes":
      return call((at) => [word(at(0))], [list(args[0] as Hex[])]);
    case "postSums":
      return call((at) => [word(at(0))], [bytes(args[0] as Hex)]);
    default:
      return encodeMove(round, move);
  }
}
