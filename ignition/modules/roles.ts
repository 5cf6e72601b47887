import { type Abi, toFunctionSelector } from "viem";

/**
 * Roles of SealedAccess. Whatever no role names is the administration's (role 0): parameters, price feeds, verifying keys,
 * ownership of the VRF beacon. Role ids are part of a deployment: never renumber.
 */
export const roles = {
  /** Accounts that may stop new orders, registrations and enrolments for at most seven days: `pause`, `unpause`. */
  guardian: 1n,
  /** Contracts that may ask a beacon for seeds: `request`. */
  beaconConsumer: 2n,
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
  /** The game over what members have signed: `Committee.onAccused`, `onEnded`, `punishLiar`. */
  memberModule: 12n,
  /** Contracts that may fail a job for what became of its stored result: `JobRegistry.onResultFault`. */
  resultModule: 13n,
} as const;

/** Which functions of which area each role opens, by name. */
export const roleFunctions = {
  staking: { guardian: ["pause", "unpause"] },
  beacon: { beaconConsumer: ["request"] },
  datasets: {
    auditModule: ["payFee"],
    fraudModule: ["markFraudulent"],
    holdingModule: ["addHeld", "removeHeld"],
  },
  bundles: { auditModule: ["settleRepair"], faultModule: ["vacate"] },
  escrow: { jobModule: ["fund", "payPrice", "refundPrice", "close"], committeeModule: ["payFee"] },
  jobs: {
    marketModule: ["open", "matchJob", "unmatch", "cancel"],
    resultModule: ["onResultFault"],
    guardian: ["pause", "unpause"],
  },
  market: { guardian: ["pause", "unpause"] },
  committee: { memberModule: ["onAccused", "onEnded", "punishLiar"] },
  validators: { committeeModule: ["draw", "excuse", "punish"], guardian: ["pause", "unpause"] },
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
