import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Action } from "../act/steps.ts";
import { peerIdText, readPeerId } from "../data/peer-id.ts";
import { rolesOf } from "../data/words.ts";
import { Badge, Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Field, Fields } from "../ui/field.tsx";
import { duration } from "../ui/moment.ts";
import { Fact, Facts, Stat, Stats } from "../ui/stat.tsx";
import { Amount, inTokens, Time } from "../ui/values.tsx";
import { walletWords } from "../wallet/words.ts";
import { readAmount } from "./amount.ts";
import styles from "./mine.module.css";
import type { AccountState } from "./read-operator.ts";
import {
  type ActionParts,
  approveAction,
  registerAction,
  stakeAction,
  unbondAction,
  withdrawAction,
} from "./stake-actions.ts";

type Props = {
  readonly state: AccountState;
  readonly parts: ActionParts;
  readonly onAction: (action: Action) => void;
};

/** Stake of the account, and what can be done with it. */
export function OperatorCard({ state, parts, onAction }: Props) {
  const { operator, unbonding, balance } = state;
  const [text, setText] = useState("");
  const [failure, setFailure] = useState<string>();
  const delay = useQuery({
    queryKey: ["unbonding delay"],
    queryFn: async () => (await parts.contracts.Staking.read.parameters())[0],
  });
  const now = useQuery({
    queryKey: ["chain time"],
    queryFn: async () => (await parts.client.getBlock()).timestamp,
    refetchInterval: 5_000,
  });
  const read = readAmount(text);
  const units = "units" in read ? read.units : undefined;
  const free = operator.stake - operator.locked;
  const begin = (make: () => Action | Promise<Action>) => {
    setFailure(undefined);
    Promise.resolve()
      .then(make)
      .then(onAction, (error: unknown) => setFailure(walletWords(error)));
  };
  return (
    <Card
      title="My stake"
      aside={
        <Badge tone={operator.active ? "healthy" : "neutral"}>
          {operator.active ? "Registered" : "Not registered"}
        </Badge>
      }
    >
      <Stats>
        <Stat
          name="Staked"
          value={inTokens(operator.stake)}
          note={`tokens, ${inTokens(operator.locked)} locked for duties`}
        />
        <Stat name="In the account" value={inTokens(balance)} note="tokens" />
      </Stats>
      {operator.active && <p>Roles: {rolesOf(operator.roles)}.</p>}
      <Field
        label="Tokens"
        inputMode="decimal"
        value={text}
        onChange={(event) => setText(event.target.value)}
        problem={text !== "" && "problem" in read ? read.problem : undefined}
        hint={operator.active ? `Free to take out: ${inTokens(free)}` : "Register first, then stake"}
      />
      <div className={styles.buttons}>
        <Button
          kind="main"
          disabled={units === undefined || units > balance || !operator.active}
          onClick={() => begin(() => stakeAction(parts, units!))}
        >
          Stake
        </Button>
        <Button
          disabled={units === undefined || units > free || delay.data === undefined}
          onClick={() => begin(() => unbondAction(parts, units!, duration(Number(delay.data))))}
        >
          Take out
        </Button>
      </div>
      {failure !== undefined && <Notice tone="wrong" title={failure} />}
      {unbonding.length > 0 && (
        <Facts>
          {unbonding.map(({ ticket, amount, availableAt }) => (
            <Fact
              key={String(ticket)}
              name={now.data !== undefined && now.data >= availableAt ? "Ready" : "On its way out"}
            >
              <Amount units={amount} />, <Time at={availableAt} />{" "}
              {now.data !== undefined && now.data >= availableAt && (
                <Button onClick={() => onAction(withdrawAction(parts, ticket, amount))}>Fetch</Button>
              )}
            </Fact>
          ))}
        </Facts>
      )}
      <Approvals state={state} parts={parts} onAction={onAction} />
      <Registration state={state} parts={parts} onAction={onAction} />
    </Card>
  );
}

/** Which contracts may lock stake for the roles, and how much. */
function Approvals({ state, parts, onAction }: Props) {
  const { operator, approvals } = state;
  if (approvals.length === 0) return null;
  return (
    <Facts>
      {approvals.map(({ module, cap, locked }) => (
        <Fact key={module.contract} name={`${module.contract} may lock`}>
          {cap === 0n ? "nothing" : <Amount units={cap} />} for {module.purpose}; <Amount units={locked} />{" "}
          locked{" "}
          {cap < operator.stake && (
            <Button onClick={() => onAction(approveAction(parts, module, operator.stake, locked))}>
              Approve the whole stake
            </Button>
          )}{" "}
          {cap > locked && (
            <Button onClick={() => onAction(approveAction(parts, module, locked, locked))}>
              Lock nothing more
            </Button>
          )}
        </Fact>
      ))}
    </Facts>
  );
}

const roles = ["Storage node", "Provider", "Validator", "Challenger"] as const;

function Registration({ state, parts, onAction }: Props) {
  const { operator, peerId, endpoint } = state;
  const [mask, setMask] = useState(operator.roles === 0 ? 2 : operator.roles);
  const [peer, setPeer] = useState(peerId === "0x" ? "" : peerIdText(peerId));
  const [address, setAddress] = useState(endpoint);
  const read = readPeerId(peer);
  return (
    <details>
      <summary>
        {operator.active ? "Change roles or address of my keeper" : "Register as an operator"}
      </summary>
      <div className={styles.registration}>
        <fieldset className={styles.roles}>
          <legend>Roles</legend>
          {roles.map((name, bit) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={(mask & (1 << bit)) !== 0}
                onChange={() => setMask(mask ^ (1 << bit))}
              />{" "}
              {name}
            </label>
          ))}
        </fieldset>
        <Fields>
          <Field
            label="Peer id of the keeper"
            value={peer}
            onChange={(event) => setPeer(event.target.value.trim())}
            problem={peer !== "" && "problem" in read ? read.problem : undefined}
            hint="Your keeper prints it when it starts: 12D3KooW…"
          />
          <Field
            label="Where others find it (multiaddr)"
            value={address}
            onChange={(event) => setAddress(event.target.value.trim())}
            hint="May be empty for a provider"
          />
        </Fields>
        <Button
          disabled={"problem" in read || mask === 0}
          onClick={() => {
            if ("problem" in read) return;
            onAction(
              registerAction(
                parts,
                { roles: mask, peerId: read.bytes, endpoint: address, isActive: operator.active },
                rolesOf(mask),
              ),
            );
          }}
        >
          {operator.active ? "Change" : "Register"}
        </Button>
      </div>
    </details>
  );
}
