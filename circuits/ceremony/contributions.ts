import { readFile } from "node:fs/promises";
import { CircuitSetupError } from "../setup/errors.ts";

/** A step of a phase-2 ceremony, as it is written down in the key. */
export type Contribution =
  | { kind: "contributor"; name: string; transcript: string }
  | { kind: "beacon"; name: string; transcript: string; value: string; iterationsExponent: number };

const ceremonySection = 10;
const circuitHashBytes = 64;

/** Three points of G1 and one of G2. */
const pointBytes = 3 * 64 + 128;
const transcriptBytes = 64;

const parameter = { name: 1, iterationsExponent: 2, value: 3 } as const;
const beaconType = 1;

/**
 * Reads who contributed to a key of snarkjs 0.7. It says what is written there; whether it is true only verification tells.
 * @throws CircuitSetupError when the file is not such a key.
 */
export async function readContributions(path: string): Promise<Contribution[]> {
  const file = await readFile(path);
  try {
    let position = 12;
    if (file.toString("latin1", 0, 4) !== "zkey") throw new RangeError("no zkey");
    while (file.readUInt32LE(position) !== ceremonySection) {
      position += 12 + Number(file.readBigUInt64LE(position + 4));
    }
    return parse(file, position + 12 + circuitHashBytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CircuitSetupError(`${path} is not a key with a ceremony's record.`, { cause });
  }
}

function parse(file: Buffer, start: number): Contribution[] {
  const contributions: Contribution[] = [];
  let position = start + 4;
  for (let remaining = file.readUInt32LE(start); remaining > 0; remaining--) {
    position += pointBytes;
    const transcript = file.toString("hex", position, position + transcriptBytes);
    position += transcriptBytes;
    const type = file.readUInt32LE(position);
    const end = position + 8 + file.readUInt32LE(position + 4);
    position += 8;
    let name = "";
    let iterationsExponent = 0;
    let value = "";
    while (position < end) {
      const tag = file.readUInt8(position);
      const size = file.readUInt8(position + 1);
      if (tag === parameter.iterationsExponent) {
        iterationsExponent = size;
        position += 2;
        continue;
      }
      if (tag === parameter.name) name = file.toString("utf8", position + 2, position + 2 + size);
      if (tag === parameter.value) value = file.toString("hex", position + 2, position + 2 + size);
      position += 2 + size;
    }
    contributions.push(
      type === beaconType
        ? { kind: "beacon", name, transcript, value, iterationsExponent }
        : { kind: "contributor", name, transcript },
    );
  }
  return contributions;
}
