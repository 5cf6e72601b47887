import type { Address } from "viem";
import { addressOf } from "./contracts.ts";
import type { DeployedName, Deployment } from "./deployment-format.ts";

/** A contract that locks stake for the duties of a role, and slashes no more than it has locked. */
export type StakeModule = {
  readonly contract: DeployedName;
  readonly address: Address;
  /** What it locks stake for, in words that follow "for". */
  readonly purpose: string;
};

/** Bits of the role mask (`IStaking.Role`), what a contract locks stake for, and under which roles. */
const modules: readonly { contract: DeployedName; roles: number; purpose: string }[] = [
  { contract: "BundleRegistry", roles: 1 << 0, purpose: "bundles that you sign receipts for" },
  { contract: "CommitRevealBeacon", roles: 1 << 0, purpose: "secrets that you commit to the beacon" },
  { contract: "JobRegistry", roles: 1 << 1, purpose: "jobs that you train" },
  { contract: "ValidatorSet", roles: 1 << 2, purpose: "your weight among the validators" },
];

/** The contracts of a deployment that an operator with these roles has to approve before it can take duties. */
export function stakeModules(deployment: Deployment, roles: number): StakeModule[] {
  return modules
    .filter((each) => (each.roles & roles) !== 0)
    .filter(({ contract }) => deployment.addresses[contract] !== undefined)
    .map(({ contract, purpose }) => ({ contract, address: addressOf(deployment, contract), purpose }));
}
