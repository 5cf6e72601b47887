import { type Abi, toFunctionSelector } from "viem";

/**
 * Roles of the AccessManager. Whatever no role names is the admin's (role 0): parameters of `Staking`, `unpause`,
 * ownership of the VRF beacon. Role ids are part of a deployment: never renumber.
 */
export const roles = {
  /** Contracts that may lock and slash stake: `Staking.lock`, `Staking.slash`. `unlock` needs no role. */
  stakeModule: 1n,
  /** Contracts that may ask a beacon for seeds: `request`. */
  beaconConsumer: 2n,
  /** Accounts that may add verifying keys: `VerifierRegistry.register`. */
  keyRegistrar: 3n,
  /** Accounts that may stop new work at once: `pause`. Starting it again is the admin's. */
  guardian: 4n,
  /** The contract that pays fees and repairs for proven possession: `payFee`, `settleRepair`. */
  auditModule: 5n,
  /** Contracts that may convict a holder: `BundleRegistry.vacate`. */
  faultModule: 6n,
  /** The contract that judges encodings: `DatasetRegistry.markFraudulent`. */
  fraudModule: 7n,
  /** The contract that counts held bundles: `addHeld`, `removeHeld`. */
  holdingModule: 8n,
  /** The contract that opens, matches and cancels jobs: `JobRegistry.open`, `matchJob`, `unmatch`, `cancel`. */
  marketModule: 9n,
  /** The contract that moves the price of a job: `Escrow.fund`, `payPrice`, `refundPrice`, `close`. */
  jobModule: 10n,
  /** The contract that draws committees and pays their members: `Escrow.payFee`, `ValidatorSet.draw`, `excuse`, `punish`. */
  committeeModule: 11n,
} as const;

/** Which functions of which area each role opens, by name. */
export const roleFunctions = {
  staking: { stakeModule: ["lock", "slash"], guardian: ["pause"] },
  beacon: { beaconConsumer: ["request"] },
  verifier: { keyRegistrar: ["register"] },
  datasets: {
    auditModule: ["payFee"],
    fraudModule: ["markFraudulent"],
    holdingModule: ["addHeld", "removeHeld"],
    guardian: ["pause"],
  },
  bundles: { auditModule: ["settleRepair"], faultModule: ["vacate"], guardian: ["pause"] },
  audit: { guardian: ["pause"] },
  retrieval: { guardian: ["pause"] },
  escrow: { jobModule: ["fund", "payPrice", "refundPrice", "close"], committeeModule: ["payFee"] },
  jobs: { marketModule: ["open", "matchJob", "unmatch", "cancel"], guardian: ["pause"] },
  market: { guardian: ["pause"] },
  validators: { committeeModule: ["draw", "excuse", "punish"], guardian: ["pause"] },
} as const satisfies Record<string, Partial<Record<keyof typeof roles, readonly string[]>>>;

/**
 * Selectors of the named functions, from a compiled contract's ABI.
 * @throws Error when the ABI lacks one of them, or has several of that name: a role on the wrong function would go unseen.
 */
export function selectorsOf(abi: Abi, names: readonly string[]): `0x${string}`[] {
  return names.map((name) => {
    const matches = abi.filter((item) => item.type === "function" && item.name === name);
    const [only] = matches;
    if (only?.type !== "function" || matches.length !== 1) {
      throw new Error(`The ABI has ${matches.length} functions named ${name}, expected one.`);
    }
    return toFunctionSelector(only);
  });
}
