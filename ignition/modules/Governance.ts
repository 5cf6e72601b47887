import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

const day = 86_400;

/**
 * The two parties and what they may do together: `administration` what it has announced for `delay` seconds, `guardian` at once.
 * Both are the deployer where none is named; that is for local chains alone, elsewhere the contract refuses it.
 */
export default buildModule("Governance", (m) => {
  const deployer = m.getAccount(0) as unknown as string;
  const parties = [
    m.getParameter<string>("proposer", deployer),
    m.getParameter<string>("executor", deployer),
  ] as const;
  // As long as a pause lasts, and half of what stake takes to leave: whoever disagrees has time to stop working.
  const delay = m.getParameter<number>("delay", 7 * day);
  return {
    administration: m.contract("TwoPartyTimelock", [delay, ...parties], { id: "Administration" }),
    // A pause that comes after a week stops nothing; it lapses by itself.
    guardian: m.contract("TwoPartyTimelock", [0, ...parties], { id: "Guardian" }),
  };
});
