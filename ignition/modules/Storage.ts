import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import type { CommitReveal, Drand, Vrf } from "./Beacon.ts";
import Staking, { type StakingOnExistingToken } from "./Staking.ts";
import Verifier from "./Verifier.ts";

const hour = 3_600;
const day = 24 * hour;
const tokens = 10n ** 18n;
/** Seconds of an epoch, and until an epoch without a seed is given up, unless parameters say otherwise. */
export const epochLength = day;
export const seedDelay = 3 * day;
const noPolicy = "0x0000000000000000000000000000000000000000";

/** Any of the beacons: they differ in how they come by randomness, not in what the audit asks of them. */
export type BeaconModule = typeof CommitReveal | typeof Drand | typeof Vrf;

/**
 * Datasets, bundles, audits, retrieval challenges and fraud proofs, on the given beacon.
 *
 * Parameters `possessionKeyHash`, `coveringKeyHash` and `registrationKeyHash` are the keccak256 of the verifying keys that
 * `Verifier` registers. They are immutable: a deployment audits with these circuits or not at all.
 */
export function storageModule(
  beaconModule: BeaconModule,
  stakingModule: typeof Staking | typeof StakingOnExistingToken = Staking,
) {
  return buildModule("Storage", (m) => {
    const { access, token, staking } = m.useModule(stakingModule as typeof Staking);
    const { beacon } = m.useModule(beaconModule as typeof Drand);
    const { registry: verifier } = m.useModule(Verifier);
    const possessionKey = m.getParameter<string>("possessionKeyHash");
    const coveringKey = m.getParameter<string>("coveringKeyHash");
    const registrationKey = m.getParameter<string>("registrationKeyHash");

    const datasets = m.contract("DatasetRegistry", [
      access,
      token,
      m.getParameter<number>("epochLength", epochLength),
      // Above seedDelay + auditWindow + timeoutWindow + 2 · grace, and above a retrieval's window and grace.
      m.getParameter<number>("closeDelay", 10 * day),
      {
        bondPerBundle: m.getParameter<bigint>("bondPerBundle", 20n * tokens),
        bundleStake: m.getParameter<bigint>("bundleStake", 100n * tokens),
        missPenalty: m.getParameter<bigint>("missPenalty", 80n * tokens),
        surrenderPenalty: m.getParameter<bigint>("surrenderPenalty", 50n * tokens),
        policy: m.getParameter<string>("policy", noPolicy),
      },
    ]);
    const bundles = m.contract("BundleRegistry", [
      access,
      token,
      datasets,
      staking,
      verifier,
      registrationKey,
      possessionKey,
      // A week of daily epochs: for an upload that broke off to be gone on with by its owner. Then whoever proves that it has
      // a bundle may take it, so that a dataset whose owner is gone does not wait for ever.
      m.getParameter<number>("exclusiveEpochs", 7),
    ]);
    const audit = m.contract("StorageAudit", [
      access,
      datasets,
      bundles,
      beacon,
      verifier,
      possessionKey,
      coveringKey,
      {
        seedDelay: m.getParameter<number>("seedDelay", seedDelay),
        auditWindow: m.getParameter<number>("auditWindow", 12 * hour),
        timeoutWindow: m.getParameter<number>("timeoutWindow", 3 * day),
        grace: m.getParameter<number>("grace", hour),
      },
    ]);
    const retrieval = m.contract("RetrievalChallenges", [
      access,
      datasets,
      bundles,
      m.getParameter<bigint>("retrievalBond", tokens / 1_000n),
      m.getParameter<number>("retrievalWindow", 6 * hour),
      m.getParameter<number>("retrievalGrace", hour),
    ]);
    const fraud = m.contract("EncodingFraud", [datasets, verifier, possessionKey]);
    m.call(bundles, "setModules", [audit, retrieval]);
    return { access, token, staking, beacon, verifier, datasets, bundles, audit, retrieval, fraud };
  });
}
