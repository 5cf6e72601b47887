import { lazy } from "react";
import { Route, Switch } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { searchedFor } from "./searched.ts";

const Overview = lazy(() => import("./overview.tsx"));
const Datasets = lazy(() => import("./lists.tsx").then((lists) => ({ default: lists.Datasets })));
const Jobs = lazy(() => import("./lists.tsx").then((lists) => ({ default: lists.Jobs })));
const Operators = lazy(() => import("./lists.tsx").then((lists) => ({ default: lists.Operators })));
const AddDataset = lazy(() => import("../compute/add-dataset.tsx"));
const Dataset = lazy(() => import("./dataset.tsx"));
const Job = lazy(() => import("./job.tsx"));
const Operator = lazy(() => import("./operator.tsx"));
const Certificate = lazy(() => import("./certificate.tsx"));
const Transaction = lazy(() => import("./transaction.tsx"));
const Mine = lazy(() => import("../mine/mine.tsx"));
const Order = lazy(() => import("../order/order.tsx"));
const Search = lazy(() => import("./search.tsx"));
const NotFound = lazy(() => import("./not-found.tsx"));

/** Pages by their address; each is loaded when it is first shown. */
export function Pages() {
  return (
    <Switch>
      <Route path="/" component={Overview} />
      <Route path="/datasets" component={Datasets} />
      <Route path="/datasets/add" component={AddDataset} />
      <Route path="/datasets/:id">{({ id }) => <Dataset key={id} id={id.toLowerCase()} />}</Route>
      <Route path="/jobs" component={Jobs} />
      <Route path="/jobs/:id">{({ id }) => <Job key={id} id={id} />}</Route>
      <Route path="/operators" component={Operators} />
      <Route path="/operators/:id">{({ id }) => <Operator key={id} id={id} />}</Route>
      <Route path="/certificates/:id">{({ id }) => <Certificate key={id} id={id} />}</Route>
      <Route path="/transactions/:hash">
        {({ hash }) => <Transaction key={hash} hash={hash.toLowerCase() as `0x${string}`} />}
      </Route>
      <Route path="/order/:dataset?">
        {({ dataset }) => <Order key={dataset} dataset={dataset?.toLowerCase()} />}
      </Route>
      <Route path="/mine" component={Mine} />
      <Route path="/search/*" component={Searched} />
      <Route component={NotFound} />
    </Switch>
  );
}

/** The router has read the address once already, and not all of it. */
function Searched() {
  const text = searchedFor(useHashLocation()[0]);
  return <Search key={text} text={text} />;
}
