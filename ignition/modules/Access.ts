import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/** The manager that every contract obeys: the deployer's until `assayModule` seals it. */
export default buildModule("Access", (m) => ({ access: m.contract("SealedAccess", [m.getAccount(0)]) }));
