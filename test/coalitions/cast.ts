/** Everybody in a walk, by the account of the development mnemonic that is theirs. */
export const parties = {
  deployer: 0,
  consumer: 1,
  provider: 2,
  rival: 3,
  challenger: 4,
  owner: 5,
  node0: 6,
  node1: 7,
  node2: 8,
  node3: 9,
  node4: 10,
  node5: 11,
  validator0: 12,
  validator1: 13,
  validator2: 14,
  validator3: 15,
  validator4: 16,
  bystander: 17,
  stranger0: 18,
  stranger1: 19,
  stranger2: 20,
  stranger3: 21,
} as const;

export type Party = keyof typeof parties;
export const partyNames = Object.keys(parties) as Party[];
const named = <P extends string>(prefix: P) =>
  partyNames.filter((name): name is Extract<Party, `${P}${number}`> => name.startsWith(prefix));

export const nodes = named("node");
export const validators = named("validator");
/** Who works for a provider, where somebody does; these two have a weight of the lottery besides. */
export const workers = ["validator3", "validator4"] as const satisfies readonly Party[];
/** Accounts that no honest party has. */
export const strangers = named("stranger");
/** Who may bid: honest by default, like everybody that a coalition does not hold. */
export const providers = ["provider", "rival"] as const satisfies readonly Party[];
