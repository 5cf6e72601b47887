import { ModuleBuilder } from "../wasm/assembler.ts";
import { type I64, i32, i64 } from "../wasm/instructions.ts";

/** Bytes of a keccak256 hash. */
export const hashBytes = 32;

/** Rate of keccak256: 1088 bits. */
const blockBytes = 136;
const rounds = 24;
const constantsAt = 0;
const digestAt = 8 * rounds;
const messageAt = digestAt + hashBytes;
const pageBytes = 65536;
/** Longest message in one call, with its prefix: a chunk, a cell or a pair of hashes is far below. */
const longest = Math.floor((pageBytes - messageAt) / blockBytes) * blockBytes - 1;

/** Rotations of ρ, by x + 5y (FIPS 202, section 3.2.2). */
const rotations = [
  0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
];

/** Constants of ι from its 8-bit shift register (FIPS 202, section 3.2.5). */
function roundConstants(): bigint[] {
  let register = 1;
  return Array.from({ length: rounds }, () => {
    let constant = 0n;
    for (let j = 0; j <= 6; j++) {
      if (register & 1) constant |= 1n << BigInt(2 ** j - 1);
      register = register & 0x80 ? ((register << 1) ^ 0x171) & 0xff : register << 1;
    }
    return constant;
  });
}

/** Emits `hash(blocks)`: absorbs padded blocks that begin at `messageAt` and leaves the digest at `digestAt`. */
function emitKeccak(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(1);
  const f = module.function(["i32"], "hash");
  const left = f.parameter("i32", 0);
  const source = f.local("i32");
  const round = f.local("i32");
  const lanes = f.locals("i64", 25);
  const moved = f.locals("i64", 25);
  const parity = f.locals("i64", 5);
  const flipped = (value: I64): I64 => i64.xor(value, i64.const(-1n));
  f.set(source, i32.const(messageAt));
  f.loop((nextBlock) => {
    for (let at = 0; at < blockBytes / 8; at++) {
      f.set(lanes[at]!, i64.xor(lanes[at]!.value, i64.load(source.value, 8 * at)));
    }
    f.set(round, i32.const(0));
    f.loop((nextRound) => {
      for (let x = 0; x < 5; x++) {
        let sum = lanes[x]!.value;
        for (let y = 1; y < 5; y++) sum = i64.xor(sum, lanes[x + 5 * y]!.value);
        f.set(parity[x]!, sum);
      }
      for (let x = 0; x < 5; x++) {
        const theta = i64.xor(
          parity[(x + 4) % 5]!.value,
          i64.rotl(parity[(x + 1) % 5]!.value, i64.const(1n)),
        );
        for (let y = 0; y < 5; y++) {
          const at = x + 5 * y;
          const target = moved[y + 5 * ((2 * x + 3 * y) % 5)]!;
          f.set(target, i64.rotl(i64.xor(lanes[at]!.value, theta), i64.const(BigInt(rotations[at]!))));
        }
      }
      for (let at = 0; at < 25; at++) {
        const row = at - (at % 5);
        const [a, b, c] = [at, row + ((at + 1) % 5), row + ((at + 2) % 5)].map((i) => moved[i]!.value);
        f.set(lanes[at]!, i64.xor(a!, i64.and(flipped(b!), c!)));
      }
      f.set(lanes[0]!, i64.xor(lanes[0]!.value, i64.load(round.value, constantsAt)));
      f.set(round, i32.add(round.value, i32.const(8)));
      f.branchIf(nextRound, i32.ltU(round.value, i32.const(8 * rounds)));
    });
    f.set(source, i32.add(source.value, i32.const(blockBytes)));
    f.set(left, i32.sub(left.value, i32.const(1)));
    f.branchIf(nextBlock, left.value);
  });
  for (let at = 0; at < hashBytes / 8; at++) f.emit(i64.store(i32.const(digestAt), lanes[at]!.value, 8 * at));
  return module.encode();
}

function instantiate(): { memory: Uint8Array; hash: (blocks: number) => void } {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(emitKeccak()));
  const { buffer } = exports.memory as WebAssembly.Memory;
  const constants = new DataView(buffer);
  roundConstants().forEach((constant, at) => {
    constants.setBigUint64(constantsAt + 8 * at, constant, true);
  });
  return { memory: new Uint8Array(buffer), hash: exports.hash as (blocks: number) => void };
}

const { memory, hash } = instantiate();

/**
 * keccak256 (the one of Ethereum, not SHA3-256) of a prefix byte and up to 65,000 bytes in up to two parts.
 *
 * @param target where the 32 bytes go; a new array by default
 */
export function prefixedHash(
  prefix: number,
  first: Uint8Array,
  second?: Uint8Array,
  target: Uint8Array = new Uint8Array(hashBytes),
): Uint8Array {
  const secondAt = 1 + first.length;
  const length = secondAt + (second?.length ?? 0);
  if (length > longest) throw new RangeError(`${length} bytes are too many for one hash`);
  const blocks = Math.floor(length / blockBytes) + 1;
  memory[messageAt] = prefix;
  memory.set(first, messageAt + 1);
  if (second !== undefined) memory.set(second, messageAt + secondAt);
  const end = messageAt + blocks * blockBytes;
  memory.fill(0, messageAt + length, end);
  memory[messageAt + length] = 0x01;
  memory[end - 1] = memory[end - 1]! | 0x80;
  hash(blocks);
  target.set(memory.subarray(digestAt, digestAt + hashBytes));
  return target;
}

/** keccak256 of 1 to 65,000 bytes as they are. */
export function plainHash(bytes: Uint8Array, target?: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw new RangeError("no bytes to hash");
  return prefixedHash(bytes[0]!, bytes.subarray(1), undefined, target);
}

/** H(0x00 ‖ bytes): the leaf of every keccak tree. */
export function leafHash(bytes: Uint8Array, target?: Uint8Array): Uint8Array {
  return prefixedHash(0x00, bytes, undefined, target);
}

/** H(0x01 ‖ left ‖ right): the inner node of every keccak tree. */
export function nodeHash(left: Uint8Array, right: Uint8Array, target?: Uint8Array): Uint8Array {
  return prefixedHash(0x01, left, right, target);
}
