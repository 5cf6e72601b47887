import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import Access from "./Access.ts";
import Staking, { StakingOnExistingToken } from "./Staking.ts";

const hour = 3_600n;

/**
 * drand's evmnet, chain hash 04f1e9062b8a81f848fded9c12306733282b2727ecced50032187751166ec8c3: its key in EIP-197 order,
 * genesis and period.
 */
const evmnet = {
  publicKey: [
    0x07e1d1d335df83fa98462005690372c643340060d205306a9aa8106b6bd0b382n,
    0x0557ec32c2ad488e4d4f6008f89a346f18492092ccc0d594610de2732c8b808fn,
    0x0095685ae3a85ba243747b1b2f426049010f6b73a0cf1d389351d5aaaa1047f6n,
    0x297d3a4f9749b33eb2d904c9d9ebf17224150ddd7abd7567a9bec6c74480ee0bn,
  ],
  genesis: 1_727_521_075n,
  period: 3n,
} as const;

/** Default on public networks. */
export const Drand = buildModule("DrandBeacon", (m) => {
  const { access } = m.useModule(Access);
  const configuration = {
    publicKey: evmnet.publicKey.map((word, i) => m.getParameter<bigint>(`publicKey${i}`, word)),
    genesis: m.getParameter<bigint>("genesis", evmnet.genesis),
    period: m.getParameter<bigint>("period", evmnet.period),
    // Above the worst lag of the network's clock behind real time.
    margin: m.getParameter<bigint>("margin", 600n),
    redrawAfter: m.getParameter<bigint>("redrawAfter", 24n * hour),
  };
  return { access, beacon: m.contract("DrandBeacon", [access, configuration]) };
});

/** Where Chainlink has a coordinator. The beacon is still to be added to the subscription by its owner. */
export const Vrf = buildModule("VrfBeacon", (m) => {
  const { access } = m.useModule(Access);
  const configuration = {
    coordinator: m.getParameter<string>("coordinator"),
    subscriptionId: m.getParameter<bigint>("subscriptionId"),
    keyHash: m.getParameter<string>("keyHash"),
    confirmations: m.getParameter<number>("confirmations", 3),
    payInNative: m.getParameter<boolean>("payInNative", false),
    redrawAfter: m.getParameter<bigint>("redrawAfter", 24n * hour),
  };
  const beacon = m.contract("VrfBeacon", [access, configuration]);
  // Whoever owns the beacon can replace the coordinator; from here on that is the administrator, by `SealedAccess.execute`.
  m.call(access, "execute", [beacon, m.encodeFunctionCall(beacon, "acceptOwnership")]);
  return { access, beacon };
});

const commitRevealModule = (stakingModule: typeof Staking | typeof StakingOnExistingToken) =>
  buildModule("CommitRevealBeacon", (m) => {
    const { access, staking } = m.useModule(stakingModule as typeof Staking);
    const configuration = {
      staking,
      // IStaking.Role.Storage
      role: m.getParameter<number>("role", 0),
      minCommitters: m.getParameter<number>("minCommitters", 3),
      commitWindow: m.getParameter<bigint>("commitWindow", 600n),
      revealWindow: m.getParameter<bigint>("revealWindow", 600n),
      grace: m.getParameter<bigint>("grace", hour),
      bond: m.getParameter<bigint>("bond", 100n * 10n ** 18n),
    };
    return { access, staking, beacon: m.contract("CommitRevealBeacon", [access, configuration]) };
  });

/** Default of the embedded network; never for draws worth more than its `maxDrawValue`. */
export const CommitReveal = commitRevealModule(Staking);
/** With bonds in a token that is there already. */
export const CommitRevealOnToken = commitRevealModule(StakingOnExistingToken);
