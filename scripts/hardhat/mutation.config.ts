import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HardhatPlugin } from "hardhat/types/plugins";
import config from "../../hardhat.config.ts";
import { REACHED } from "../mutation/nodejs.ts";
import { selectorCode, selectorFile } from "../mutation/schemata.ts";
import { mergedFolder } from "../mutation/workplace.ts";
import { root } from "../setup.ts";

/** What a worker wants to hear of, if this is one. */
const reported = () => (globalThis as Record<symbol, unknown>)[REACHED] as ((id: number) => void) | undefined;

/** Compiles the contracts with all their mutants in them, and tells which of these are reached on a network. */
const mutants: HardhatPlugin = {
  id: "mutants",
  hookHandlers: {
    network: async () => ({
      default: async () => ({
        onCoverageData: async (_context, tags) => {
          for (const tag of tags) reported()?.(Number(`0x${tag}`));
        },
      }),
    }),
    solidity: async () => ({
      default: async () => ({
        preprocessProjectFileBeforeBuilding: async (context, name, path, content, version, next) => {
          const merged = join(mergedFolder, path.slice(root.length + 1));
          const code = existsSync(merged) ? readFileSync(merged, "utf8") : content;
          return await next(context, name, path, code, version);
        },
        preprocessSolcInputBeforeBuilding: async (context, input, next) => {
          input.sources[selectorFile] = { content: selectorCode };
          return await next(context, input);
        },
      }),
    }),
  },
};

/** Code that holds mutants is long, and must not end up among what is deployed. */
export default {
  ...config,
  plugins: [...(config.plugins ?? []), mutants],
  paths: {
    ...config.paths,
    artifacts: ".assay/mutation/artifacts",
    cache: ".assay/mutation/cache",
  },
};
