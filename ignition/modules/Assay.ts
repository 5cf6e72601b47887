import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { artifacts } from "hardhat";
import { attestationModule } from "./Attestation.ts";
import { CommitReveal, Drand, Vrf } from "./Beacon.ts";
import { marketModule } from "./Market.ts";
import { roleFunctions, roles, selectorsOf } from "./roles.ts";
import Staking, { StakingOnExistingToken } from "./Staking.ts";
import { type BeaconModule, storageModule } from "./Storage.ts";

type Area = keyof typeof roleFunctions;
type RoleName = keyof typeof roles;
type StakingModule = typeof Staking | typeof StakingOnExistingToken;

/** The contract of each area: whose functions the roles open. */
const contractNames = {
  staking: "Staking",
  verifier: "VerifierRegistry",
  datasets: "DatasetRegistry",
  bundles: "BundleRegistry",
  audit: "StorageAudit",
  retrieval: "RetrievalChallenges",
  escrow: "Escrow",
  jobs: "JobRegistry",
  market: "Market",
  validators: "ValidatorSet",
} as const;

// Selectors come from the compiled contracts: a role on a function that was renamed must not go unseen.
const abis = Object.fromEntries(
  await Promise.all(
    Object.entries({ ...contractNames, beacon: "IRandomnessBeacon" }).map(
      async ([area, name]) => [area, (await artifacts.readArtifact(name)).abi] as const,
    ),
  ),
);

/**
 * Storage, jobs, market and committees on one kind of beacon, with every role given to the contract that needs it. The deployer stays
 * admin, guardian and registrar of keys until it hands them over (`AccessManager.grantRole`, `revokeRole`).
 */
export function assayModule(beaconModule: BeaconModule, stakingModule: StakingModule = Staking) {
  const isCommitReveal = beaconModule === CommitReveal;
  return buildModule("Assay", (m) => {
    const storage = storageModule(beaconModule, stakingModule);
    const contracts = {
      ...m.useModule(storage),
      ...m.useModule(attestationModule(storage)),
      ...m.useModule(marketModule(storage)),
    };
    const { access, audit, beacon, bundles, committee, fraud, jobs, market, retrieval, validators } =
      contracts;
    const deployer = m.getAccount(0);
    const members: Record<RoleName, readonly { id: string; account: unknown }[]> = {
      stakeModule: [
        { id: "bundles", account: bundles },
        { id: "jobs", account: jobs },
        { id: "validators", account: validators },
        // Committers put stake at risk for their reveals.
        ...(isCommitReveal ? [{ id: "beacon", account: beacon }] : []),
      ],
      beaconConsumer: [
        { id: "audit", account: audit },
        { id: "committee", account: committee },
      ],
      keyRegistrar: [{ id: "deployer", account: deployer }],
      guardian: [{ id: "deployer", account: deployer }],
      auditModule: [{ id: "audit", account: audit }],
      faultModule: [
        { id: "audit", account: audit },
        { id: "retrieval", account: retrieval },
      ],
      fraudModule: [{ id: "fraud", account: fraud }],
      holdingModule: [{ id: "bundles", account: bundles }],
      marketModule: [{ id: "market", account: market }],
      jobModule: [{ id: "jobs", account: jobs }],
      committeeModule: [{ id: "committee", account: committee }],
    };
    const names = Object.keys(roles) as RoleName[];
    const grants = names.flatMap((role) =>
      members[role].map(({ id, account }) =>
        m.call(access, "grantRole", [roles[role], account as string, 0], { id: `grant_${role}_${id}` }),
      ),
    );
    for (const area of Object.keys(roleFunctions) as Area[]) {
      for (const [role, functions] of Object.entries<readonly string[]>(roleFunctions[area])) {
        const selectors = selectorsOf(abis[area]!, functions);
        // After the grants: the deployer is still registering keys.
        m.call(access, "setTargetFunctionRole", [contracts[area], selectors, roles[role as RoleName]], {
          id: `open_${area}_${role}`,
          after: grants,
        });
      }
    }
    return contracts;
  });
}

/** On drand: the default of public networks. */
export const AssayDrand = assayModule(Drand);
/** On drand, in a token that is there already (parameter `address` of `Token`). */
export const AssayDrandOnToken = assayModule(Drand, StakingOnExistingToken);
/** On commit–reveal among storage operators: the embedded network. */
export const AssayCommitReveal = assayModule(CommitReveal);
/** On Chainlink VRF. */
export const AssayVrf = assayModule(Vrf);

export default AssayDrand;
