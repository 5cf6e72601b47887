import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../setup.ts";
import { runTests } from "./collector.ts";
import { TRACE } from "./schemata.ts";
import { type Explored, processorTime, type Runner } from "./suites.ts";

/** Where the network's plugin tells this process what was reached. */
export const REACHED = Symbol.for("assay.mutants.reached");

/** What a call may spend: a mutant that does not end must not take for ever. */
const BLOCK_GAS = 300_000_000n;

/** A beneficiary that is no mutant. */
const NOBODY = 2n ** 63n;

type Override = { override?: Record<string, unknown> };

/** Runs files of TypeScript tests again and again in this process, on networks whose blocks have a beneficiary of our own. */
export async function nodejsRunner(): Promise<Runner> {
  const collector = new URL("./collector.ts", import.meta.url).href;
  registerHooks({
    resolve: (name, context, next) =>
      name === "node:test" && !context.parentURL?.includes("node_modules")
        ? { url: collector, shortCircuit: true }
        : next(name, context),
  });
  const { network } = (await import("hardhat")) as unknown as {
    network: { create(parameters?: Override): Promise<{ close?(): Promise<void> }> };
  };
  let beneficiary = 0n;
  const open: { close?(): Promise<void> }[] = [];
  const create = network.create.bind(network);
  network.create = async (parameters = {}) => {
    const connection = await create({
      ...parameters,
      override: {
        ...parameters.override,
        coinbase: `0x${beneficiary.toString(16).padStart(40, "0")}`,
        blockGasLimit: BLOCK_GAS,
      },
    });
    open.push(connection);
    return connection;
  };
  let imports = 0;
  async function run(
    suite: string,
    on: bigint,
    onTest: (number: number) => boolean,
    onFailure?: (number: number) => boolean,
  ): Promise<void> {
    beneficiary = on;
    const url = `${pathToFileURL(join(root, suite)).href}?${imports++}`;
    try {
      await runTests(() => import(url), onTest, onFailure);
    } finally {
      for (const connection of open.splice(0)) await connection.close?.();
    }
  }

  return {
    async explore(suite): Promise<Explored> {
      const reached = new Set<number>();
      (globalThis as Record<symbol, unknown>)[REACHED] = (id: number) => reached.add(id);
      // A limit of gas, say, does not hold for code with mutants in it; the file's other tests still tell mutants apart.
      const failing = new Set<number>();
      const onTest = (number: number) => !failing.has(number);
      await run(suite, TRACE, onTest, (failed) => failing.add(failed).has(failed));
      const start = process.cpuUsage();
      await run(suite, NOBODY, onTest);
      const milliseconds = processorTime(start);
      return { reached: [...reached], failing: [...failing], milliseconds, gas: BLOCK_GAS.toString() };
    },

    async kills({ suite, mutant, failing }): Promise<boolean> {
      try {
        await run(suite, BigInt(mutant), (number) => !failing.includes(number));
        return false;
      } catch {
        return true;
      }
    },
  };
}
