import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/** The contracts that judge the moves of disputes. They keep nothing and obey nobody. */
export default buildModule("Disputes", (m) => ({
  descentRules: m.contract("DescentRules"),
  elementRules: m.contract("ElementRules"),
  sumRules: m.contract("SumRules"),
  rangeRules: m.contract("RangeRules"),
  inputRules: m.contract("InputRules"),
  voidRules: m.contract("VoidRules"),
}));
