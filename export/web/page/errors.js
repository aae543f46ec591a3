/** An error whose text tells the user what is wrong and what to do. */
export class UserError extends Error {}

/** What the page says of any error. */
export function said(error) {
  if (error instanceof UserError) return error.message;
  return `This browser can't run the model: ${error?.message ?? error}. Try a newer browser.`;
}
