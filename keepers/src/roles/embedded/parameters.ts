import type { DeployParameters } from "../../chain/deploy.ts";

/** The clocks of an embedded network, all in seconds of chain time. */
export type EmbeddedTiming = {
  epochLength: number;
  auditWindow: number;
  timeoutWindow: number;
  grace: number;
  commitWindow: number;
  revealWindow: number;
};

const defaultTiming: EmbeddedTiming = {
  epochLength: 7200,
  auditWindow: 3600,
  timeoutWindow: 3600,
  grace: 60,
  commitWindow: 15,
  revealWindow: 30,
};

/** Chain seconds of each window in the life of a job: together they end within one epoch of storage. */
const jobWindow = 600;

/** Chain seconds of each window of a committee, and of a rotation of the validators that it is drawn from. */
export const committeeWindows = {
  period: jobWindow,
  signingWindow: jobWindow,
  openingWindow: jobWindow,
  revealWindow: jobWindow,
  disputeTime: jobWindow,
  accusableFor: jobWindow,
  moveWindow: jobWindow,
  grace: jobWindow / 10,
};

/** Module parameters with which windows are short next to those of public networks, yet no busy machine misses one. */
export function embeddedParameters(timing: Partial<EmbeddedTiming> = {}): DeployParameters {
  const { epochLength, auditWindow, timeoutWindow, grace, commitWindow, revealWindow } = {
    ...defaultTiming,
    ...timing,
  };
  return {
    // Changes of parameters can be tried, and are announced all the same.
    Governance: { delay: 60 },
    Jobs: {
      lockWindow: jobWindow,
      challengeWindow: jobWindow,
      window: jobWindow,
      extension: jobWindow / 10,
      grace: jobWindow / 10,
      // Three epochs, and the time that a seed is waited for.
      repairGrace: 4 * epochLength,
    },
    // Draws from a rotation are possible for as long after it as a beacon may take to redraw a seed, and more.
    Attestation: { ...committeeWindows, exitDelay: epochLength },
    Market: { leastWindow: jobWindow / 10, grace: jobWindow / 10 },
    Storage: {
      epochLength,
      auditWindow,
      timeoutWindow,
      grace,
      seedDelay: epochLength,
      // No result is paid for before whoever took a bundle of it could be asked for a cell: that is over when a job is.
      retrievalWindow: jobWindow,
      retrievalGrace: jobWindow / 10,
    },
    CommitRevealBeacon: {
      minCommitters: 3,
      commitWindow: BigInt(commitWindow),
      revealWindow: BigInt(revealWindow),
      grace: BigInt(grace),
    },
  };
}
