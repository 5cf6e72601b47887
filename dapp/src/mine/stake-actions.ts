import type { Address, Hex } from "viem";
import {
  addressOf,
  type Call,
  type Contracts,
  encodeCall,
  type ReadClient,
} from "../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { type StakeModule, stakeModules } from "../../../keepers/src/chain/stake-modules.ts";
import {
  type Permit,
  permitMessage,
  permitOf,
  permitVersion,
} from "../../../keepers/src/storage/client/permit.ts";
import type { Action, SendStep, Step } from "../act/steps.ts";
import { peerIdText } from "../data/peer-id.ts";
import { exactly } from "../ui/amounts.ts";
import type { Purse } from "./read-operator.ts";

export type ActionParts = {
  readonly contracts: Contracts;
  readonly client: ReadClient;
  readonly deployment: Deployment;
  readonly account: Address;
  readonly done: Action["done"];
};

const tokens = (amount: bigint) => `${exactly(amount)} tokens`;

/** Stakes tokens: by a permit where the token takes one, else after an approval. */
export async function stakeAction(parts: ActionParts, amount: bigint): Promise<Action> {
  const { contracts, client, deployment, account, done } = parts;
  const staking = addressOf(deployment, "Staking");
  const reader = { account: { address: account }, contracts, deployment, chain: { public: client } };
  const version = await permitVersion(reader);
  const { read } = contracts.Staking;
  const { roles, stake } = await read.operatorOf([account]);
  // What a role needs is approved in the same transaction, as far as the stake goes then.
  const cap = stake + amount;
  const modules = stakeModules(deployment, roles);
  const caps = await Promise.all(modules.map(({ address }) => read.capOf([account, address])));
  const lacking = modules.filter((_, i) => (caps[i] as bigint) < cap);
  const words: SendStep["words"] = [
    ["Amount", tokens(amount)],
    ["To", "the staking contract, in your name"],
    ...lacking.map(
      ({ contract, purpose }) => [`${contract} may lock`, `up to ${tokens(cap)}, for ${purpose}`] as const,
    ),
    ["It can be lost", "when you break a rule of a role you play, out of what is locked for it"],
  ];
  const withApprovals = (staking: Call): Call =>
    encodeCall(deployment, "Staking", "multicall", [
      [staking.data, ...lacking.map(({ address }) => approvalOf(deployment, address, cap).data)],
    ]);
  const steps: Step[] = version === undefined ? approved(amount, words) : permitted(amount, words, version);
  return { title: `Stake ${tokens(amount)}`, account, steps, done };

  function permitted(
    value: bigint,
    stakeWords: SendStep["words"],
    known: NonNullable<typeof version>,
  ): Step[] {
    let permit: Permit | undefined;
    return [
      {
        kind: "sign",
        title: "Permit the staking contract to take them",
        words: [
          ["Who may take", "the staking contract, nobody else"],
          ["How much", `exactly ${tokens(value)}, once`],
          ["Good for", "one hour"],
        ],
        message: () => permitMessage(reader, staking, value, known),
        take: (signature, { message }) => {
          permit = permitOf(signature, (message as { deadline: bigint }).deadline);
        },
      },
      {
        kind: "send",
        title: "Stake",
        words: stakeWords,
        call: async () => {
          if (permit === undefined) throw new Error("The permit is not signed yet.");
          const { deadline, v, r, s } = permit;
          return withApprovals(
            encodeCall(deployment, "Staking", "stakeWithPermit", [value, deadline, v, r, s]),
          );
        },
      },
    ];
  }

  function approved(value: bigint, stakeWords: SendStep["words"]): Step[] {
    return [
      {
        kind: "send",
        title: "Let the staking contract take them",
        words: [["How much", `exactly ${tokens(value)}`]],
        call: async () => encodeCall(deployment, "AssayToken", "approve", [staking, value]),
      },
      {
        kind: "send",
        title: "Stake",
        words: stakeWords,
        call: async () => withApprovals(encodeCall(deployment, "Staking", "stake", [value])),
      },
    ];
  }
}

/** Says how much of the stake one contract may lock; none means no more than it has locked. */
export function approveAction(
  { deployment, account, done }: ActionParts,
  { contract, address, purpose }: StakeModule,
  cap: bigint,
  locked: bigint,
): Action {
  const isEnd = cap <= locked;
  return {
    title: isEnd ? `Let ${contract} lock nothing more` : `Let ${contract} lock stake`,
    account,
    steps: [
      {
        kind: "send",
        title: isEnd ? "Lower the approval" : "Approve",
        words: [
          ["It may lock", `up to ${tokens(cap)}, for ${purpose}`],
          ["Locked now", tokens(locked)],
          ["It can slash", "what it has locked, nothing else"],
        ],
        call: async () => approvalOf(deployment, address, cap),
      },
    ],
    done,
  };
}

function approvalOf(deployment: Deployment, module: Address, cap: bigint): Call {
  return encodeCall(deployment, "Staking", "approve", [module, cap]);
}

/** Begins to take stake out; it can be fetched after the delay. */
export function unbondAction(
  { deployment, account, done }: ActionParts,
  amount: bigint,
  delay: string,
): Action {
  return {
    title: `Take ${tokens(amount)} out of your stake`,
    account,
    steps: [
      {
        kind: "send",
        title: "Begin to unbond",
        words: [
          ["Amount", tokens(amount)],
          ["Ready in", delay],
          ["Until then", "it counts for nothing, and nobody can slash it"],
        ],
        call: async () => encodeCall(deployment, "Staking", "unbond", [amount]),
      },
    ],
    done,
  };
}

/** Fetches stake that is ready. */
export function withdrawAction(parts: ActionParts, ticket: bigint, amount: bigint): Action {
  const { deployment, account, done } = parts;
  return {
    title: `Fetch ${tokens(amount)}`,
    account,
    steps: [
      {
        kind: "send",
        title: "Fetch unbonded stake",
        words: [
          ["Amount", tokens(amount)],
          ["To", "your account"],
        ],
        call: async () => encodeCall(deployment, "Staking", "withdraw", [ticket, account]),
      },
    ],
    done,
  };
}

/** Fetches what a contract owes the account. */
export function fetchAction(
  parts: ActionParts,
  { contract, call, what, unit }: Purse,
  amount: bigint,
): Action {
  const { deployment, account, done } = parts;
  const shown = `${exactly(amount)} ${unit}`;
  return {
    title: `Fetch ${shown}`,
    account,
    steps: [
      {
        kind: "send",
        title: what,
        words: [
          ["Amount", shown],
          ["To", "your account"],
        ],
        call: async () => encodeCall(deployment, contract, call as never, [account] as never),
      },
    ],
    done,
  };
}

/** Registers the account as an operator, or changes what is known of it. */
export function registerAction(
  { deployment, account, done }: ActionParts,
  { roles, peerId, endpoint, isActive }: { roles: number; peerId: Hex; endpoint: string; isActive: boolean },
  roleWords: string,
): Action {
  return {
    title: isActive ? "Change what is known of your keeper" : "Register as an operator",
    account,
    steps: [
      {
        kind: "send",
        title: isActive ? "Update" : "Register",
        words: [
          ["Roles", roleWords],
          ["Peer id", peerIdText(peerId)],
          ["Found at", endpoint === "" ? "nowhere: it calls others" : endpoint],
        ],
        call: async () =>
          encodeCall(deployment, "Staking", isActive ? "update" : "register", [roles, peerId, endpoint]),
      },
    ],
    done,
  };
}
