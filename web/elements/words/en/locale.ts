/** Groups the digits of numbers as the words beside it would. */
export const locale = "en";
