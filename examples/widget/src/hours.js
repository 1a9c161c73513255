export const HOURS = [
  ["Monday to Friday", "9 to 17"],
  ["Saturday", "10 to 14"],
];
