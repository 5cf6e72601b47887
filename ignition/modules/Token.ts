import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/** Stake and pay of the embedded network, minted to the deployer. */
export default buildModule("Token", (m) => {
  const holder = m.getAccount(0);
  const supply = m.getParameter<bigint>("supply", 1_000_000_000n * 10n ** 18n);
  return { token: m.contract("AssayToken", [holder, supply]) };
});

/** An ERC-20 that is there already, at the parameter `address`; permits are used where it has them. */
export const ExistingToken = buildModule("Token", (m) => ({
  token: m.contractAt("AssayToken", m.getParameter<string>("address")),
}));
