import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/**
 * The AccessManager that every contract obeys. On public networks `admin` is handed over to a timelocked multisig once the
 * roles are wired.
 */
export default buildModule("Access", (m) => {
  const admin = m.getParameter<string>("admin", m.getAccount(0) as unknown as string);
  return { access: m.contract("AccessManager", [admin]) };
});
