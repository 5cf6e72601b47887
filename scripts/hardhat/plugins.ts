import { availableParallelism } from "node:os";
import type { HardhatPlugin } from "hardhat/types/plugins";
import type { CompilerInput, CompilerOutput } from "hardhat/types/solidity";

/** Drops compiler warnings that point into dependencies: they are not ours to fix and would hide our own. */
export const quietDependencies: HardhatPlugin = {
  id: "quiet-dependencies",
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        invokeSolc: async (context, compiler, input, config, next) => {
          const output = await next(context, compiler, input, config);
          output.errors = output.errors?.filter(
            (e: { severity: string; formattedMessage?: string; message?: string }) =>
              e.severity === "error" ||
              !(/--> npm\//.test(e.formattedMessage ?? "") || /more than 256 warnings/.test(e.message ?? "")),
          );
          return output;
        },
      }),
    }),
  },
};

/**
 * Among how many compiler runs the files are dealt out. The compiler is WebAssembly with at most 2 GiB of memory: one run over
 * all contracts and tests ends when it writes its output. Runs side by side use the cores of the machine, too.
 */
const runs = 6;

type OutputSelection = CompilerInput["settings"]["outputSelection"];

/**
 * Deals the files of a standard input out among compiler runs. Every run reads all sources, so that identifiers in the syntax
 * tree, and with them the code of a contract, are those of a single run; it generates code for its own files only.
 * @param input the standard input of all files; its output selection names all files by "*"
 * @returns one standard input per run
 */
function dealOut(input: CompilerInput): CompilerInput[] {
  const outputs = input.settings.outputSelection["*"] ?? {};
  const selections = Array.from({ length: runs }, (): OutputSelection => ({}));
  for (const [i, file] of Object.keys(input.sources).sort().entries())
    (selections[i % runs] as OutputSelection)[file] = outputs;
  return selections.map((outputSelection) => ({
    ...input,
    settings: { ...input.settings, outputSelection },
  }));
}

/** Puts the outputs of runs together; every run reports the same warnings. */
function gather(outputs: CompilerOutput[]): CompilerOutput {
  const errors = new Map<string, NonNullable<CompilerOutput["errors"]>[number]>();
  const gathered: CompilerOutput = { sources: {}, contracts: {} };
  for (const output of outputs) {
    for (const error of output.errors ?? []) errors.set(error.formattedMessage ?? error.message, error);
    for (const [file, source] of Object.entries(output.sources ?? {}))
      if (source.ast !== undefined || gathered.sources[file] === undefined) gathered.sources[file] = source;
    Object.assign(gathered.contracts as object, output.contracts);
  }
  return { ...gathered, errors: [...errors.values()] };
}

/**
 * Compiles via IR in several runs side by side. Legacy code generation shares work among contracts: it stays one run.
 * Hardhat's `next` can be called once, so the runs ask the compiler itself.
 */
export const severalRuns: HardhatPlugin = {
  id: "several-runs",
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        invokeSolc: async (context, compiler, input, config, next) => {
          if (input.settings.viaIR !== true) return await next(context, compiler, input, config);
          const waiting = dealOut(input);
          const outputs: CompilerOutput[] = [];
          const worker = async (): Promise<void> => {
            for (let part = waiting.shift(); part !== undefined; part = waiting.shift())
              outputs.push(await compiler.compile(part));
          };
          await Promise.all(Array.from({ length: availableParallelism() }, worker));
          return gather(outputs);
        },
      }),
    }),
  },
};

/**
 * Compiles all contracts of the profile that is deployed at once when one of them has changed, before and without the tests.
 * Code generated via IR depends on what else the compiler reads, by the numbers of nodes in the syntax tree: a contract that is
 * compiled after others, or together with tests, comes out some hundred bytes longer or shorter. So what is deployed, what gas
 * is measured on, and what an explorer compiles again to verify a contract are the same bytes.
 */
export const wholeProduction: HardhatPlugin = {
  id: "whole-production",
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        build: async (context, roots, options, next) => {
          if (options?.buildProfile !== "production") return await next(context, roots, options);
          const isTest = (path: string) => path.startsWith(context.config.paths.tests.solidity);
          if (roots.every(isTest)) return await next(context, roots, options);
          const contracts = (await context.solidity.getRootFilePaths()).filter((path) => !isTest(path));
          if (!roots.some(isTest)) {
            const jobs = await context.solidity.getCompilationJobs(contracts, options);
            const force = options.force === true || (jobs.success && jobs.compilationJobsPerFile.size > 0);
            return await next(context, contracts, { ...options, force });
          }
          const parts = [contracts, ...(options.force === true ? [roots.filter(isTest)] : [])];
          for (const part of parts) {
            const built = await context.solidity.build(part, { ...options, cleanupArtifacts: false });
            const isBuilt =
              context.solidity.isSuccessfulBuildResult(built) &&
              [...built.values()].every(({ type }) => type !== "BUILD_FAILURE");
            if (!isBuilt) return built;
          }
          return await next(context, roots, { ...options, force: false });
        },
      }),
    }),
  },
};
