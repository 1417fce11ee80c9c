/** The rate of arriving samples since this page was opened, kept while the person looks elsewhere. */
const most = 90;

class Flow {
  rates = $state.raw<number[]>([]);

  add(rate: number): void {
    this.rates = [...this.rates.slice(1 - most), rate];
  }
}

export const flow = new Flow();
