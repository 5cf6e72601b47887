import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { artifacts } from "hardhat";
import { attestationModule } from "./Attestation.ts";
import { CommitReveal, CommitRevealOnToken, Drand, Vrf } from "./Beacon.ts";
import Governance from "./Governance.ts";
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
  datasets: "DatasetRegistry",
  bundles: "BundleRegistry",
  escrow: "Escrow",
  jobs: "JobRegistry",
  market: "Market",
  committee: "Committee",
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
 * Storage, jobs, market and committees on one kind of beacon, with every role given to the contract that needs it. The last
 * transaction seals that and hands over to `Governance`: the deployer keeps nothing.
 */
export function assayModule(beaconModule: BeaconModule, stakingModule: StakingModule = Staking) {
  return buildModule("Assay", (m) => {
    const storage = storageModule(beaconModule, stakingModule);
    const attestation = attestationModule(storage);
    const market = marketModule(storage);
    const governance = m.useModule(Governance);
    const contracts = {
      ...m.useModule(storage),
      ...m.useModule(attestation),
      ...m.useModule(market),
    };
    const { access, audit, bundles, committee, fraud, jobs, memberGame, retrieval } = contracts;
    const { resultFraud, shortfalls } = contracts;
    const members: Record<RoleName, readonly { id: string; account: unknown }[]> = {
      beaconConsumer: [
        { id: "audit", account: audit },
        { id: "committee", account: committee },
      ],
      guardian: [{ id: "guardian", account: governance.guardian }],
      auditModule: [{ id: "audit", account: audit }],
      faultModule: [
        { id: "audit", account: audit },
        { id: "retrieval", account: retrieval },
      ],
      fraudModule: [{ id: "fraud", account: fraud }],
      holdingModule: [{ id: "bundles", account: bundles }],
      marketModule: [{ id: "market", account: contracts.market }],
      jobModule: [{ id: "jobs", account: jobs }],
      committeeModule: [{ id: "committee", account: committee }],
      memberModule: [{ id: "memberGame", account: memberGame }],
      resultModule: [
        { id: "shortfalls", account: shortfalls },
        { id: "resultFraud", account: resultFraud },
      ],
    };
    const names = Object.keys(roles) as RoleName[];
    const grants = names.flatMap((role) =>
      members[role].map(({ id, account }) =>
        m.call(access, "grantRole", [roles[role], account as string, 0], { id: `grant_${role}_${id}` }),
      ),
    );
    const opened = (Object.keys(roleFunctions) as Area[]).flatMap((area) =>
      Object.entries<readonly string[]>(roleFunctions[area]).map(([role, functions]) => {
        const selectors = selectorsOf(abis[area]!, functions);
        return m.call(
          access,
          "setTargetFunctionRole",
          [contracts[area], selectors, roles[role as RoleName]],
          {
            id: `open_${area}_${role}`,
          },
        );
      }),
    );
    const wired = [storage, attestation, market, beaconModule];
    m.call(access, "seal", [governance.administration], { after: [...wired, ...grants, ...opened] });
    return { ...contracts, ...governance };
  });
}

/** On drand: the default of public networks. */
export const AssayDrand = assayModule(Drand);
/** On drand, in a token that is there already (parameter `address` of `Token`). */
export const AssayDrandOnToken = assayModule(Drand, StakingOnExistingToken);
/** On commit–reveal among storage operators: the embedded network. */
export const AssayCommitReveal = assayModule(CommitReveal);
export const AssayCommitRevealOnToken = assayModule(CommitRevealOnToken, StakingOnExistingToken);
/** On Chainlink VRF. */
export const AssayVrf = assayModule(Vrf);
export const AssayVrfOnToken = assayModule(Vrf, StakingOnExistingToken);

export default AssayDrand;
