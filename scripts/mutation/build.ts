import { spawn } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Compiled, compile } from "../analysis/compiler.ts";
import { root } from "../setup.ts";
import { type Mutant, mutantsOf, type Node, readSource, walk } from "./mutants.ts";
import { blamed, merge, type Numbered, selectorCode, selectorFile } from "./schemata.ts";
import { artifactsFolder, mergedFolder } from "./workplace.ts";

/** A mutant that is not tried, and what the compiler says of it. */
export type Refused = Mutant & { error: string };

type SolidityError = {
  severity: string;
  message: string;
  sourceLocation?: { file: string; start: number; end: number };
};

/** Above every precompiled contract's address. */
const FIRST_ID = 2 ** 16;

/** Checks the merged sources' types; generates no code. */
function errorsOf(input: Compiled["input"], merged: Map<string, string>): SolidityError[] {
  const solc = createRequire(import.meta.url)("solc") as {
    compile(
      input: string,
      callbacks: { import(path: string): { contents: string } | { error: string } },
    ): string;
  };
  const sources: Record<string, { content: string }> = { [selectorFile]: { content: selectorCode } };
  for (const [file, source] of Object.entries(input.sources))
    sources[file] = { content: merged.get(file) ?? source.content };
  const settings = { ...input.settings, outputSelection: {} };
  const read = (path: string) =>
    existsSync(join(root, path))
      ? { contents: readFileSync(join(root, path), "utf8") }
      : { error: `no file ${path}` };
  const output = JSON.parse(
    solc.compile(JSON.stringify({ language: "Solidity", sources, settings }), { import: read }),
  ) as { errors?: SolidityError[] };
  return (output.errors ?? []).filter(({ severity }) => severity === "error");
}

/** Gives mutants numbers, and merges those that the compiler takes; the others come back with what it says. */
export function mergeAll(
  mutants: readonly Mutant[],
  input: Compiled["input"],
): { kept: Numbered[]; refused: Refused[]; sources: Map<string, string> } {
  let kept = mutants
    .filter(({ form }) => form !== "constant")
    .map((each, i) => ({ ...each, id: FIRST_ID + i }));
  const refused: Refused[] = mutants
    .filter(({ form }) => form === "constant")
    .map((each) => ({ ...each, error: "the value of a constant cannot depend on the block" }));
  for (;;) {
    const byFile = Map.groupBy(kept, ({ file }) => file);
    const merged = new Map([...byFile].map(([file, some]) => [file, merge(readSource(file), some)]));
    const sources = new Map(
      [...merged].map(([file, { code }]) => [file, Buffer.from(code, "latin1").toString("utf8")]),
    );
    const errors = errorsOf(input, sources);
    if (errors.length === 0) return { kept, refused, sources };
    const gone = new Map<number, string>();
    for (const { message, sourceLocation } of errors) {
      const at = merged.get(sourceLocation?.file ?? "");
      if (at === undefined || sourceLocation === undefined) continue;
      for (const id of blamed(at, sourceLocation.start, sourceLocation.end)) gone.set(id, message);
    }
    if (gone.size === 0) throw new Error(`no mutant is to blame: ${errors[0]?.message}`);
    refused.push(
      ...kept.filter(({ id }) => gone.has(id)).map((each) => ({ ...each, error: gone.get(each.id)! })),
    );
    kept = kept.filter(({ id }) => !gone.has(id));
  }
}

/** Mutants that are to be judged, in merged sources, those that need no judgement any more, and those that are no code. */
type Prepared = ReturnType<typeof mergeAll> & { known: Mutant[] };

/**
 * The mutants of contracts.
 * @param gambit path of Gambit
 * @param isChosen says which files are mutated
 * @param choose picks from all the mutants of a file
 * @param isKnown says which of those need no judgement any more
 */
export function prepare(
  gambit: string,
  isChosen: (file: string) => boolean,
  choose: (mutants: Mutant[]) => Mutant[],
  isKnown: (mutant: Mutant) => boolean,
): Prepared {
  const { input, output } = compile(["contracts/**/*.sol"]);
  const trees = new Map<string, Node>();
  for (const [file, { ast }] of Object.entries(output.sources))
    if (input.sources[file] !== undefined) trees.set(file, ast as Node);
  const files = [...trees.keys()].filter(isChosen);
  const all = Map.groupBy(mutantsOf(gambit, files, trees), ({ file }) => file);
  const chosen = [...all.values()].flatMap(choose);
  const left = chosen.filter((mutant) => !isKnown(mutant));
  return { ...mergeAll(left, input), known: chosen.filter(isKnown) };
}

/** Compiles merged sources and all tests. */
export async function build(sources: Map<string, string>): Promise<void> {
  rmSync(mergedFolder, { recursive: true, force: true });
  for (const [file, code] of sources) {
    mkdirSync(dirname(join(mergedFolder, file)), { recursive: true });
    writeFileSync(join(mergedFolder, file), code);
  }
  await runHardhat(["--config", "scripts/hardhat/mutation.config.ts", "build", "--force", "--quiet"]);
  for (const file of globSync("*.output.json", { cwd: buildInfoFolder }))
    flatten(join(buildInfoFolder, file));
}

const buildInfoFolder = join(artifactsFolder, "build-info");

/** Leaves out what functions do: EDR, which names errors by what was built, cannot read trees as deep as many mutants are. */
function flatten(path: string): void {
  const build = JSON.parse(readFileSync(path, "utf8")) as {
    output: { sources: Record<string, { ast: Node }> };
  };
  for (const { ast } of Object.values(build.output.sources))
    for (const [node] of walk(ast)) if (node.body !== undefined) node.body = null;
  writeFileSync(path, JSON.stringify(build));
}

/** Runs Hardhat; what it warns of in mutants helps nobody. */
function runHardhat(args: string[]): Promise<void> {
  return new Promise((done, failed) => {
    let text = "";
    const child = spawn("hardhat", args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
    child.on("error", failed);
    child.on("exit", (code) =>
      code === 0 ? done() : failed(new Error(`the mutants do not compile:\n${text}`)),
    );
  });
}
