import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import Disputes from "./Disputes.ts";
import { epochLength, seedDelay, type storageModule } from "./Storage.ts";

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const tokens = 10n ** 18n;

/** Wei for a unit of gas: ten times a usual 0.1 gwei, so that refunds suffice in a bad hour. */
const refundPrice = 10n ** 9n;
/** Gas that contracts/disputes/Refunds.sol allows each side: MOST_PROVIDER and MOST_CHALLENGER. */
const providerGas = 6_600_000n;
const challengerGas = 4_200_000n;

/**
 * Seconds to have a result held again. A bundle that was given up is taken over with a proof under a seed that nobody knew when it
 * became free: the rest of the epoch goes by, then the next one and the one after it can be proven for (`ResultShortfalls`
 * refuses less than these three). A beacon that stands still for as long as a seed is waited for is not the provider's fault.
 */
const repairGrace = 3 * epochLength + seedDelay;

/**
 * Escrow, registry, certificates, instalments and the dispute game, above the given storage module. `attestationModule` tells the registry
 * where they are.
 */
export const jobsModule = (storage: ReturnType<typeof storageModule>) =>
  buildModule("Jobs", (m) => {
    const { access, token, staking, datasets, audit, retrieval } = m.useModule(storage);
    const rules = m.useModule(Disputes);
    const escrow = m.contract("Escrow", [access, token]);
    const jobRules = m.contract("JobRules", [datasets, retrieval]);
    const jobs = m.contract("JobRegistry", [
      access,
      staking,
      jobRules,
      escrow,
      {
        lockWindow: m.getParameter<number>("lockWindow", hour),
        challengeWindow: m.getParameter<number>("challengeWindow", 3 * day),
        stakePercent: m.getParameter<number>("stakePercent", 200),
        minimumStake: m.getParameter<bigint>("minimumStake", 100n * tokens),
        latePenalty: m.getParameter<number>("latePenalty", 1_000),
        dispute: {
          // Half of a lost bond refunds the other side's moves.
          challengerBond: m.getParameter<bigint>("challengerBond", 2n * providerGas * refundPrice),
          refundPrice: m.getParameter<bigint>("refundPrice", refundPrice),
          window: m.getParameter<number>("window", 4 * hour),
          extension: m.getParameter<number>("extension", 10 * minute),
          grace: m.getParameter<number>("grace", hour),
        },
        // Three times the least, so that a conviction leaves a reward after the refunds of many challenges.
        providerBond: m.getParameter<bigint>("providerBond", 6n * challengerGas * refundPrice),
      },
    ]);
    const game = m.contract("DisputeGame", [
      jobs,
      rules.descentRules,
      rules.elementRules,
      rules.sumRules,
      rules.rangeRules,
      rules.inputRules,
      rules.voidRules,
    ]);
    const certificates = m.contract("ModelCertificate", [jobs]);
    const instalments = m.contract("Instalments", [jobs, jobRules]);
    const shortfalls = m.contract("ResultShortfalls", [
      jobs,
      instalments,
      datasets,
      audit,
      retrieval,
      m.getParameter<number>("repairGrace", repairGrace),
    ]);
    const resultFraud = m.contract("ResultFraud", [jobs, instalments, datasets]);
    const rewards = m.contract("WorkerRewards", [token]);
    return { escrow, jobs, game, certificates, instalments, shortfalls, resultFraud, rewards, ...rules };
  });
