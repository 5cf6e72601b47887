import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { CircuitSetupError } from "../setup/errors.ts";

/**
 * BLAKE2b-512 of the prepared files of the Hermez ceremony (54 contributors, 2020–2021), as snarkjs 0.7.6 lists them in its
 * README. The number is the power: 2^16 rows hold each circuit of the protocol, 2^13 the registration circuit.
 */
export const knownPowersOfTau = {
  powersOfTau28_hez_final_13:
    "58efc8bf2834d04768a3d7ffcd8e1e23d461561729beaac4e3e7a47829a1c9066d5320241e124a1a8e8aa6c75be0ba66f65bc8239a0542ed38e11276f6fdb4d9",
  powersOfTau28_hez_final_14:
    "eeefbcf7c3803b523c94112023c7ff89558f9b8e0cf5d6cdcba3ade60f168af4a181c9c21774b94fbae6c90411995f7d854d02ebd93fb66043dbb06f17a831c1",
  powersOfTau28_hez_final_15:
    "982372c867d229c236091f767e703253249a9b432c1710b4f326306bfa2428a17b06240359606cfe4d580b10a5a1f63fbed499527069c18ae17060472969ae6e",
  powersOfTau28_hez_final_16:
    "6a6277a2f74e1073601b4f9fed6e1e55226917efb0f0db8a07d98ab01df1ccf43eb0e8c3159432acd4960e2f29fe84a4198501fa54c8dad9e43297453efec125",
  powersOfTau28_hez_final_17:
    "6247a3433948b35fbfae414fa5a9355bfb45f56efa7ab4929e669264a0258976741dfbe3288bfb49828e5df02c2e633df38d2245e30162ae7e3bcca5b8b49345",
  powersOfTau28_hez_final_18:
    "7e6a9c2e5f05179ddfc923f38f917c9e6831d16922a902b0b4758b8e79c2ab8a81bb5f29952e16ee6c5067ed044d7857b5de120a90704c1d3b637fd94b95b13e",
} as const;

/**
 * Refuses a powers-of-tau file that is not the one meant: whoever knows its secret can forge every proof.
 * @param expected SHA-256 or BLAKE2b-512 in hexadecimal, or the name of a file in {@link knownPowersOfTau}.
 * @throws CircuitSetupError
 */
export async function checkPowersOfTau(path: string, expected: string): Promise<void> {
  const wanted = (
    Object.entries(knownPowersOfTau).find(([name]) => name === expected)?.[1] ?? expected
  ).toLowerCase();
  const algorithm = /^[0-9a-f]{64}$/.test(wanted)
    ? "sha256"
    : /^[0-9a-f]{128}$/.test(wanted)
      ? "blake2b512"
      : undefined;
  if (algorithm === undefined) {
    throw new CircuitSetupError(`"${expected}" is neither a known powers-of-tau file nor a hash.`, {
      next: "Give a SHA-256 or BLAKE2b-512 in hexadecimal that you have from a source you trust.",
    });
  }
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const found = hash.digest("hex");
  if (found !== wanted) {
    throw new CircuitSetupError(
      `The powers-of-tau file ${path} has the ${algorithm} ${found}, not ${wanted}.`,
      {
        kept: "Nothing was written.",
        next: "Download the file again, from another mirror.",
      },
    );
  }
}
