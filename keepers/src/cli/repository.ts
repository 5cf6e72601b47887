import { repository } from "../../../circuits/setup/circuits.ts";

/**
 * Goes to the folder of the project: Hardhat looks for its configuration in the working folder. Paths that the user
 * named have been made absolute before.
 */
export function enterRepository(): void {
  process.chdir(repository);
}
