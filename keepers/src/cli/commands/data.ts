import type { Command } from "commander";
import type { Register } from "../register.ts";
import { challengeDataCommand } from "./data-challenge.ts";
import { downloadCommand } from "./data-download.ts";
import { getCommands } from "./data-get.ts";
import { listCommands } from "./data-list.ts";
import { putCommand } from "./data-put.ts";

/** `assay data`: datasets. */
export function dataCommands(program: Command, register: Register): void {
  const data = program
    .command("data")
    .description("datasets: put, get, verify, repair, challenge, list, health");
  putCommand(data, register);
  getCommands(data, register);
  challengeDataCommand(data, register);
  listCommands(data, register);
  downloadCommand(data, register);
}
