import type { Command } from "commander";
import type { GetOptions, ObjectOptions, VerifyOptions } from "../actions/get.ts";
import type { Register } from "../register.ts";
import { natural, oneOf } from "./options.ts";

const actions = () => import("../actions/get.ts");
const proofSources = oneOf("chain", "fresh", "none");
const proofsText = "possession proofs: chain (the last audit's), fresh (asked for now), none";

/** `assay data get`, `object`, `verify` and `repair` */
export function getCommands(data: Command, register: Register): void {
  data
    .command("get")
    .argument("<datasetId>", "what `assay data put` printed")
    .option("--to <folder>", "folder to make; named after the dataset's id by default")
    .option("--proofs <source>", proofsText, proofSources, "chain")
    .description(
      "verify proofs, download exactly as many bundles as are needed, decode, decrypt, write the records",
    )
    .addHelpText("after", "\nExample:\n  $ assay data get 0x5c3f… --to digits-copy")
    .action(
      register.action(async (context, id: string, options: GetOptions) =>
        (await actions()).getDataset(context, id, options),
      ),
    );

  data
    .command("object")
    .argument("<datasetId>", "what `assay data put` printed")
    .argument("<index>", "which object, from 0", natural(0, Number.MAX_SAFE_INTEGER))
    .option("--to <file>", "file to write its bytes to; without it they are printed in hexadecimal")
    .description("fetch one object without the rest of the dataset")
    .addHelpText("after", "\nExample:\n  $ assay data object 0x5c3f… 42 --to sample.bin")
    .action(
      register.action(async (context, id: string, index: number, options: ObjectOptions) =>
        (await actions()).getOneObject(context, id, index, options),
      ),
    );

  data
    .command("verify")
    .argument("<datasetId>", "what `assay data put` printed")
    .option("--full", "download every bundle and check both of its roots, the code and the object hashes")
    .option(
      "--prove",
      "as --full, and show bundles that are no codeword to the contracts, for half of the owner's bond",
    )
    .option("--proofs <source>", proofsText, proofSources, "chain")
    .description("check anchor, manifest, holders and proofs again; code 1 when something is wrong")
    .addHelpText("after", "\nExample:\n  $ assay data verify 0x5c3f… --full")
    .action(
      register.action(async (context, id: string, options: VerifyOptions) =>
        (await actions()).verifyDataset(context, id, options),
      ),
    );

  data
    .command("repair")
    .argument("<datasetId>", "what `assay data put` printed")
    .description(
      "restore bundles that nobody holds and bring them to new operators; nodes do that by themselves",
    )
    .addHelpText("after", "\nExample:\n  $ assay data repair 0x5c3f…")
    .action(register.action(async (context, id: string) => (await actions()).repairDataset(context, id)));
}
