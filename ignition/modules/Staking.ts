import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import Access from "./Access.ts";
import Token, { ExistingToken } from "./Token.ts";

/** Operators and their stake, in the given token. */
const stakingModule = (tokenModule: typeof Token | typeof ExistingToken) =>
  buildModule("Staking", (m) => {
    const { access } = m.useModule(Access);
    const { token } = m.useModule(tokenModule as typeof Token);
    // Longer than the longest time from a fault to its slash: an epoch, its window, and the grace.
    const unbondingDelay = m.getParameter<bigint>("unbondingDelay", 14n * 86_400n);
    const reporterShare = m.getParameter<number>("reporterShare", 3_000);
    return { access, token, staking: m.contract("Staking", [access, token, unbondingDelay, reporterShare]) };
  });

/** In a token that is deployed with it. */
export default stakingModule(Token);
/** In a token that is there already. */
export const StakingOnExistingToken = stakingModule(ExistingToken);
