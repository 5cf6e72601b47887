import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { jobsModule } from "./Jobs.ts";
import type { storageModule } from "./Storage.ts";

const hour = 3_600;
const day = 24 * hour;
const tokens = 10n ** 18n;

/** Validators and committees for the jobs above the given storage module, and the registry's word on who they are. */
export const attestationModule = (storage: ReturnType<typeof storageModule>) =>
  buildModule("Attestation", (m) => {
    const { access, staking, beacon } = m.useModule(storage);
    const jobs = m.useModule(jobsModule(storage));
    const validators = m.contract("ValidatorSet", [
      access,
      {
        staking,
        unit: m.getParameter<bigint>("unit", 100n * tokens),
        period: m.getParameter<number>("period", day),
        // Above the time after which a beacon's round is redrawn.
        exitDelay: m.getParameter<number>("exitDelay", 3 * day),
      },
    ]);
    const committee = m.contract("Committee", [
      access,
      {
        registry: jobs.jobs,
        escrow: jobs.escrow,
        beacon,
        validators,
        checks: m.getParameter<number>("checks", 2),
      },
      {
        signingWindow: m.getParameter<number>("signingWindow", 12 * hour),
        openingWindow: m.getParameter<number>("openingWindow", 4 * hour),
        revealWindow: m.getParameter<number>("revealWindow", 4 * hour),
        grace: m.getParameter<number>("grace", hour),
        // At most the window of a dispute's move: the registry leaves that much after the digests are revealed.
        disputeTime: m.getParameter<number>("disputeTime", 4 * hour),
        // As long as the provider can be challenged (`challengeWindow`): whoever executes a job again meets both.
        accusableFor: m.getParameter<number>("accusableFor", 3 * day),
        // A validator answers beside its other work, and has no deadline of its own to be up for.
        moveWindow: m.getParameter<number>("moveWindow", day),
        silentSlash: m.getParameter<bigint>("silentSlash", tokens),
        lieSlash: m.getParameter<bigint>("lieSlash", 100n * tokens),
        // Two intervals bind a unit of 100 tokens for four days: 0.2 tokens for that are 18 % a year. Else anybody could have
        // validators bound, and their gas spent, for nothing.
        leastFee: m.getParameter<bigint>("leastFee", tokens / 10n),
      },
    ]);
    const memberGame = m.contract("MemberGame", [
      jobs.jobs,
      committee,
      jobs.descentRules,
      jobs.elementRules,
      jobs.sumRules,
      jobs.rangeRules,
      jobs.inputRules,
      jobs.voidRules,
    ]);
    m.call(jobs.jobs, "setModules", [jobs.game, committee, jobs.certificates, jobs.instalments]);
    return { ...jobs, validators, committee, memberGame };
  });
