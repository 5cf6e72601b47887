import type { Command } from "commander";
import type { VerifyOptions } from "../actions/certificate.ts";
import type { Register } from "../register.ts";

const actions = () => import("../actions/certificate.ts");

/** `assay certificate`: what is known of a trained model. */
export function certificateCommands(program: Command, register: Register): void {
  const certificate = program.command("certificate").description("certificates of trained models");

  certificate
    .command("show")
    .argument("<id>", "number of the certificate, which is the job's")
    .description("show what a certificate says, and who owns it")
    .addHelpText("after", "\nExample:\n  $ assay certificate show 7")
    .action(register.action(async (context, id: string) => (await actions()).showCertificate(context, id)));

  certificate
    .command("verify")
    .argument("<id>", "number of the certificate, which is the job's")
    .option("--steps", "compute every step of the training again")
    .description("hold a certificate against job, order, commitment, program and stored model")
    .addHelpText(
      "after",
      `
It ends with 1 when something is wrong.

Examples:
  $ assay certificate verify 7
  $ assay certificate verify 7 --steps`,
    )
    .action(
      register.action(async (context, id: string, options: VerifyOptions) =>
        (await actions()).verify(context, id, options),
      ),
    );
}
