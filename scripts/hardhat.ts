// Hands the arguments to Hardhat on the project's own Node.js: `npm run hardhat -- keystore set DEPLOYER_KEY`, say.
import { spawnSync } from "node:child_process";
import { root } from "./setup.ts";

const { status } = spawnSync("hardhat", process.argv.slice(2), {
  cwd: root,
  stdio: "inherit",
  shell: process.platform === "win32",
});
process.exit(status ?? 1);
