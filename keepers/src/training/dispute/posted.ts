import {
  type AbiFunction,
  bytesToHex,
  concatHex,
  encodeAbiParameters,
  type Hex,
  hexToBytes,
  size,
} from "viem";
import { toFunctionSelector } from "viem/utils";
import { type MoveName, moveAbi } from "./abi.ts";
import { DisputeHistoryError } from "./errors.ts";
import type { Round } from "./moves.ts";

/** A move that the provider made in a challenge, as the chain shows it. */
export type Answer = {
  /** The round that was due: the one of the `Moved` before it. */
  readonly round: Round;
  /** What `Posted` says. */
  readonly selector: Hex;
  readonly arguments: Hex;
};

/** What an answer shows, as far as a challenger needs it. */
export type Posted =
  | { readonly move: "postTrace"; readonly roots: readonly Hex[] }
  | {
      readonly move: "openInterval" | "postStates";
      readonly salt: Hex;
      readonly witnesses: readonly Hex[];
      readonly roots: readonly Hex[];
    }
  | { readonly move: "openClaim"; readonly witnesses: readonly Hex[]; readonly roots: readonly Hex[] }
  | { readonly move: "postTensors"; readonly nodes: readonly Hex[] }
  | { readonly move: "postNodes"; readonly nodes: readonly Hex[] }
  | { readonly move: "postHashes"; readonly exponent: bigint; readonly nodes: readonly Hex[] }
  | { readonly move: "postLeaf"; readonly leaf: Hex }
  | { readonly move: "postSums" | "answerWitnessSums"; readonly sums: Hex };

/** More than any network takes in one transaction. */
const mostBytes = 2 ** 18;
const wordBytes = 32;
const selectorBytes = 4;
/** Words of a round. */
const roundWords = 35;

const functions = moveAbi.filter((item) => item.type === "function");
const roundInput = (functions[0] as AbiFunction).inputs[0]!;

/** Selector of a move. */
export function selectorOf(name: MoveName): Hex {
  return toFunctionSelector(functions.find((item) => item.name === name)! as AbiFunction);
}

/**
 * Reads what the provider posted. The contract took it, so it is what it must be; but nothing says that it was encoded as
 * usual: its offsets may point anywhere in the call, into the round too. It is read as the contract reads it.
 *
 * @throws DisputeHistoryError for what no provider can have posted
 */
export function readAnswer(answer: Answer): Posted {
  const call = new Call(answer);
  switch (answer.selector) {
    case selectorOf("postTrace"):
      return { move: "postTrace", roots: call.list(call.offset(0)) };
    case selectorOf("openInterval"):
      return { move: "openInterval", ...statesAt(call, call.offset(2)) };
    case selectorOf("postStates"):
      return { move: "postStates", ...statesAt(call, call.offset(0)) };
    case selectorOf("openClaim"):
      return { move: "openClaim", witnesses: call.list(call.offset(3)), roots: call.list(call.offset(4)) };
    case selectorOf("postTensors"):
      return { move: "postTensors", nodes: call.listIn(call.offset(0), 0) };
    case selectorOf("postNodes"):
      return { move: "postNodes", nodes: call.list(call.offset(0)) };
    case selectorOf("postHashes"):
      return {
        move: "postHashes",
        exponent: call.signed(call.argument(0)),
        nodes: call.list(call.offset(1)),
      };
    case selectorOf("postLeaf"):
      return { move: "postLeaf", leaf: call.bytes(call.offset(0)) };
    case selectorOf("postSums"):
      return { move: "postSums", sums: call.bytes(call.offset(0)) };
    case selectorOf("answerWitnessSums"):
      return { move: "answerWitnessSums", sums: call.bytes(call.offset(2)) };
    default:
      throw new DisputeHistoryError(`No move that goes on has the selector ${answer.selector}.`);
  }
}

function statesAt(call: Call, posted: number) {
  return { salt: call.word(posted), witnesses: call.listIn(posted, 1), roots: call.listIn(posted, 2) };
}

/** The call of a move, read as the EVM reads calldata: beyond its ends there are zeros. */
class Call {
  readonly #bytes: Uint8Array;

  constructor({ round, selector, arguments: rest }: Answer) {
    if (size(selector) !== selectorBytes || size(rest) > mostBytes) {
      throw new DisputeHistoryError(`A move with ${size(rest)} bytes of arguments was never made.`);
    }
    const encoded = encodeAbiParameters([roundInput], [round]);
    this.#bytes = hexToBytes(concatHex([selector, encoded, rest]));
  }

  /** Where argument `number` after the round stands. */
  argument(number: number): number {
    return selectorBytes + (roundWords + number) * wordBytes;
  }

  /** Where the content of a dynamic argument stands. */
  offset(number: number): number {
    return selectorBytes + Number(this.signed(this.argument(number)));
  }

  word(at: number): Hex {
    const word = new Uint8Array(wordBytes);
    for (let i = 0; i < wordBytes; i++) word[i] = this.#bytes[at + i] ?? 0;
    return bytesToHex(word);
  }

  signed(at: number): bigint {
    return BigInt.asIntN(256, BigInt(this.word(at)));
  }

  /** The list that field `number` of a struct is; offsets in a struct are signed. */
  listIn(struct: number, number: number): Hex[] {
    return this.list(struct + Number(this.signed(struct + number * wordBytes)));
  }

  list(at: number): Hex[] {
    const count = this.#length(at, wordBytes);
    return Array.from({ length: count }, (_, i) => this.word(at + (1 + i) * wordBytes));
  }

  bytes(at: number): Hex {
    const bytes = new Uint8Array(this.#length(at, 1));
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.#bytes[at + wordBytes + i] ?? 0;
    return bytesToHex(bytes);
  }

  #length(at: number, stride: number): number {
    const length = BigInt(this.word(at));
    if (length * BigInt(stride) > BigInt(this.#bytes.length)) {
      throw new DisputeHistoryError(`A list of ${length} was never posted.`);
    }
    return Number(length);
  }
}
