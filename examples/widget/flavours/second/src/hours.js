export const HOURS = [
  ["Monday to Friday", "9 to 18"],
  ["Saturday", "10 to 16"],
  ["Sunday", "closed"],
];
