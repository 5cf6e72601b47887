import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import Access from "./Access.ts";
import Token from "./Token.ts";

/** Operators and their stake, in the token of the embedded network or, with `token` given, in another. */
export default buildModule("Staking", (m) => {
  const { access } = m.useModule(Access);
  const { token } = m.useModule(Token);
  // Longer than the longest time from a fault to its slash: an epoch, its window, and the grace.
  const unbondingDelay = m.getParameter<bigint>("unbondingDelay", 14n * 86_400n);
  const reporterShare = m.getParameter<number>("reporterShare", 3_000);
  return { access, token, staking: m.contract("Staking", [access, token, unbondingDelay, reporterShare]) };
});
