import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/** Stake and pay of the embedded network. Public networks name an ERC-20 of theirs instead of running this module. */
export default buildModule("Token", (m) => {
  const holder = m.getAccount(0);
  const supply = m.getParameter<bigint>("supply", 1_000_000_000n * 10n ** 18n);
  return { token: m.contract("AssayToken", [holder, supply]) };
});
