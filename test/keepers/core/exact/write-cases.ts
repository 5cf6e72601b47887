import { writeFileSync } from "node:fs";
import { type Opcode, opcodes } from "../../../../keepers/src/core/exact/tape/types.ts";
import { generateCases } from "./cases.ts";
import { caseToJson } from "./cases-json.ts";

/**
 * Writes cases of every opcode as JSON lines, for realisations in other languages:
 * `node test/keepers/core/exact/write-cases.ts <file> [cases of each opcode] [seed]`.
 */
const [file, count = "12", seed = "1"] = process.argv.slice(2);
if (file === undefined) throw new TypeError("name the file to write");
const lines = (Object.keys(opcodes) as Opcode[]).flatMap((opcode) =>
  generateCases(opcode, Number(seed), Number(count)).map(caseToJson),
);
writeFileSync(file, `${lines.join("\n")}\n`);
