import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";
import { Command, Option } from "commander";
import { getCurveFromName } from "ffjavascript";
import { AssayError } from "../../keepers/src/core/errors.ts";
import type { CircuitArtifacts, CircuitName } from "../setup/circuits.ts";
import { circuitSources, productionCircuits } from "../setup/circuits.ts";
import { setupCircuits } from "../setup/setup.ts";
import type { Beacon, PowersOfTau } from "./ceremony.ts";
import { applyBeacon, contribute, exportKey, startCeremony, verifyCeremony } from "./ceremony.ts";
import { readContributions } from "./contributions.ts";
import { knownPowersOfTau } from "./powers-of-tau.ts";

type CircuitOption = { circuit: CircuitName };
type TauOptions = { powersOfTau: string; powersOfTauHash: string };

const say = (line: string): void => console.error(line);

const circuitOption = (): Option =>
  new Option("--circuit <name>", "circuit that the key is for")
    .choices(Object.keys(circuitSources))
    .makeOptionMandatory();

const tauOptions = (command: Command): Command =>
  command
    .requiredOption("--powers-of-tau <file>", "prepared powers-of-tau file")
    .requiredOption(
      "--powers-of-tau-hash <hash>",
      `its SHA-256 or BLAKE2b-512, or one of ${Object.keys(knownPowersOfTau).join(", ")}`,
    );

const tau = (options: TauOptions): PowersOfTau => ({
  path: options.powersOfTau,
  hash: options.powersOfTauHash,
});

async function compiled({ circuit }: CircuitOption): Promise<CircuitArtifacts> {
  const [artifacts] = await setupCircuits({ only: [circuit], onProgress: say });
  return artifacts!;
}

/** From a pipe, or typed blind on a terminal; never from a flag, which would stay in the shell's history. */
async function readEntropy(): Promise<string> {
  if (!process.stdin.isTTY) return await text(process.stdin);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await prompt.question(
      "Type some random text (the system's randomness is added to it), then Enter: ",
    );
  } finally {
    prompt.close();
    process.stderr.write("\u001b[1A\u001b[2K");
  }
}

async function printContributions(path: string): Promise<void> {
  for (const [index, step] of (await readContributions(path)).entries()) {
    const what =
      step.kind === "beacon" ? `beacon ${step.value}, 2^${step.iterationsExponent} times` : step.name;
    console.log(`${index + 1}. ${what}\n   ${step.transcript}`);
  }
}

const program = new Command("ceremony").description(
  "Make production proving keys: public powers of tau, several contributors, a public beacon. See docs/ceremony.md.",
);

tauOptions(program.command("init").description("write the key that the first contributor starts from"))
  .addOption(circuitOption())
  .requiredOption("--out <file>", "key to write")
  .action(async (options: CircuitOption & TauOptions & { out: string }) => {
    await startCeremony(await compiled(options), tau(options), options.out, say);
  });

program
  .command("contribute")
  .description("add a secret to a key and forget it")
  .requiredOption("--in <file>", "key from the step before")
  .requiredOption("--out <file>", "key to write")
  .requiredOption("--name <name>", "who contributes; public, up to 64 characters")
  .action(async (options: { in: string; out: string; name: string }) => {
    await contribute(options.in, options.out, options.name, await readEntropy(), say);
    await printContributions(options.out);
  });

program
  .command("beacon")
  .description("end the ceremony with public randomness from after the last contribution")
  .requiredOption("--in <file>", "key from the last contributor")
  .requiredOption("--out <file>", "key to write")
  .requiredOption("--value <hex>", "the randomness, a drand round's signature for instance")
  .requiredOption("--iterations-exponent <n>", "hash it 2^n times", Number)
  .action(async (options: Beacon & { in: string; out: string }) => {
    await applyBeacon(options.in, options.out, options, say);
    await printContributions(options.out);
  });

tauOptions(program.command("verify").description("check a key against circuit, powers of tau and beacon"))
  .addOption(circuitOption())
  .requiredOption("--key <file>", "key to check")
  .option("--initial <file>", "key that init wrote, trusted; computed again when left out")
  .option("--value <hex>", "beacon that the key must end with")
  .option("--iterations-exponent <n>", "of that beacon", Number)
  .action(
    async (options: CircuitOption & TauOptions & { key: string; initial?: string } & Partial<Beacon>) => {
      const { value, iterationsExponent = 10 } = options;
      await verifyCeremony({
        circuit: await compiled(options),
        powersOfTau: tau(options),
        key: options.key,
        initial: options.initial,
        beacon: value === undefined ? undefined : { value, iterationsExponent },
        onProgress: say,
      });
      await printContributions(options.key);
    },
  );

program
  .command("export")
  .description(`write artifacts and verifying key (production circuits: ${productionCircuits.join(", ")})`)
  .addOption(circuitOption())
  .requiredOption("--key <file>", "verified key")
  .requiredOption("--out <directory>", "where the circuit's folder is written")
  .action(async (options: CircuitOption & { key: string; out: string }) => {
    const info = await exportKey(await compiled(options), options.key, options.out);
    console.log(JSON.stringify(info, undefined, 2));
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof AssayError)) throw error;
  say(error.message);
  if (error.kept !== undefined) say(error.kept);
  if (error.next !== undefined) say(error.next);
  process.exitCode = error.exitCode;
} finally {
  await (await getCurveFromName("bn128")).terminate();
}
