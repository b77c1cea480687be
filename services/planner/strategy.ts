/** How a plan is made; `docs/` and `plan make --help` say when each is the one to take. */
export const STRATEGIES = {
  "one-shard": "everything on the first shard: what the others are compared with",
  capacity: "equal row bytes a shard; tables above a fair share are cut by rows",
  load: "equal row reads a shard; tables read more than a fair share are cut by reads",
  group: "tables of one group together: fewest messages a query",
} as const;

export type Strategy = keyof typeof STRATEGIES;
