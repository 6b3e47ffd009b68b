"""Functions out of every language: their names, what documents them, their texts, and what a broken file still has."""

from textwrap import dedent

import pytest

from mlx_metaembed.data.code import comments, grammar, languages, program
from mlx_metaembed.data.code.function import Function, is_trivial


def functions(name, text, **settings):
    language = next(each for each in languages.LANGUAGES if each.name == name)
    return program.parsed(language, dedent(text), **settings)


def found(name, text):
    return [
        (each.name, comments.summary(each.doc), f"{each.first_line}-{each.last_line}")
        for each in functions(name, text).functions
    ]


def test_python():
    text = '''
    class Shop:
        def total(self, rate):
            """Sum of all prices.

            Not this.
            """
            # Why.
            return sum(self.prices) * rate + 1

    def bare(x): return x
    '''
    total, bare = functions("python", text).functions
    assert total == Function(
        "Shop.total",
        "Sum of all prices.\n\nNot this.",
        "def total(self, rate):\n    # Why.\n    return sum(self.prices) * rate + 1",
        "# Why.\nreturn sum(self.prices) * rate + 1",
        3,
        9,
        False,
    )
    assert (bare.text, bare.body, bare.is_trivial) == ("def bare(x): return x", "return x", True)


def test_python_that_does_not_parse_gives_what_does():
    text = '''
    print "a statement of Python 2"

    def good(x):
        """Sum of all prices."""
        return x

    class Half:
        def broken(self:
            pass

        @property
        def whole(self):
            """Name of the shop."""
            return self.name

    def last(x):
        return x
    '''
    read = functions("python", text)
    assert read.is_broken
    assert [(each.name, each.first_line, each.last_line) for each in read.functions] == [
        ("good", 4, 6),
        ("Half.whole", 13, 15),
        ("last", 17, 18),
    ]
    assert read.functions[1].text == "def whole(self):\n    return self.name"


def test_javascript():
    text = """
    /**
     * Doubles `x`, see {@link twice}.
     *
     * @param {number} x
     */
    export const double = async (x) => {
      return x * 2;
    };

    // eslint-disable-next-line
    function directive() {}

    class Shop {
      /** Sum of <b>all</b> prices. */
      total(rate) { return 1; }
      arrow = () => { return 2; };
    }

    /**
     * Lookup a view by name.
     */

    View.prototype.lookup = function lookup(name) {};
    module.exports = function () {
      // Sum inside the module.
      function inner() {}
    };
    """
    assert found("javascript", text) == [
        ("double", "Doubles x, see twice.", "7-9"),
        ("directive", "", "12-12"),
        ("Shop.total", "Sum of all prices.", "16-16"),
        ("Shop.arrow", "", "17-17"),
        ("lookup", "Lookup a view by name.", "24-24"),
        ("inner", "Sum inside the module.", "27-27"),
    ]
    double = functions("javascript", text).functions[0]
    assert double.text == "export const double = async (x) => {\n  return x * 2;\n};"
    assert double.body == "{\n  return x * 2;\n}"


@pytest.mark.parametrize("name", ["typescript", "tsx"])
def test_typescript(name):
    text = """
    namespace Shops {
      /** Sum of all prices. */
      export function total(prices: number[]): number { return 1; }
    }
    abstract class Shop<T> {
      // Name of the shop.
      private name(): string { return ""; }
      abstract other(): void;
    }
    """
    assert found(name, text) == [
        ("Shops.total", "Sum of all prices.", "4-4"),
        ("Shop.name", "Name of the shop.", "8-8"),
    ]
    if name == "tsx":
        assert found("tsx", "// Shows all prices.\nconst Prices = () => <b>1</b>;") == [
            ("Prices", "Shows all prices.", "2-2")
        ]


def test_go():
    text = """
    package shop

    // Total sums all prices.
    //
    // Not this.
    func (s *Shop[T]) Total(rate int) int { return 1 }

    //go:noinline
    func directive() {}

    // apart from what follows

    func alone() {}
    """
    assert found("go", text) == [
        ("Shop.Total", "Total sums all prices.", "7-7"),
        ("directive", "", "10-10"),
        ("alone", "", "14-14"),
    ]


def test_rust_and_its_tests():
    text = """
    impl<T> Shop<T> {
        /// Sum of [`Prices`] times a rate.
        ///
        /// # Examples
        #[inline]
        pub fn total(&self) -> i32 { 1 }
    }

    #[cfg(test)]
    mod tests {
        fn helper() {}
    }

    #[test]
    fn a_test() {}
    """
    assert found("rust", text) == [("Shop.total", "Sum of Prices times a rate.", "7-7")]
    assert functions("rust", text).functions[0].text == "pub fn total(&self) -> i32 { 1 }"
    assert [each.name for each in functions("rust", text, tests=True).functions] == ["Shop.total", "helper", "a_test"]


def test_java():
    text = """
    class Shop {
      /**
       * Sums {@code prices} of a {@link Shop}.
       * <p>Not this.</p>
       * @return the sum
       */
      @Override
      public int total(int rate) { return 1; }
    }
    """
    assert found("java", text) == [("Shop.total", "Sums prices of a Shop.", "8-9")]


def test_c_and_cpp():
    text = """
    /* Copyright: a licence for all. */
    static int first(int x) { return x; }

    /* --------------
     * Sums all
     * prices.
     */
    int *total(const int *prices)
    {
        return 0;
    }
    int x; /* Trails a variable. */
    int after(void) { return 1; }
    """
    assert found("c", text) == [("first", "", "3-3"), ("total", "Sums all prices.", "9-12"), ("after", "", "14-14")]
    text = """
    struct EXPORT Options {
      // Sum of all prices.
      int total() const { return 1; }
    };
    /// \\brief Sums all prices.
    template <class T>
    T Shop<T>::total(int rate) const { return 1; }
    bool operator==(const A& a, const A& b) { return true; }
    """
    assert ("Shop::total", "Sums all prices.", "7-8") in found("cpp", text)
    assert not {"Options", "operator=="} & {name for name, *_ in found("cpp", text)}


def test_elixir():
    text = '''
    defmodule Shop.Prices do
      @moduledoc "Not this."

      @doc """
      Sums all `prices`.

      ## Examples
      """
      @spec total(list) :: integer
      def total([]), do: 0

      def total([first | rest]) when is_integer(first) do
        first + total(rest)
      end

      @doc false
      def hidden(x), do: x
      def none, do: nil

      defmodule Inner do
        @doc "Says the name of the shop."
        defmacro name(x) do
          x
        end
      end
    end
    '''
    assert found("elixir", text) == [
        ("Shop.Prices.total", "Sums all prices.", "11-15"),
        ("Shop.Prices.hidden", "", "18-18"),
        ("Shop.Prices.none", "", "19-19"),
        ("Shop.Prices.Inner.name", "Says the name of the shop.", "23-25"),
    ]
    total = functions("elixir", text).functions[0]
    assert total.text.startswith("def total([]), do: 0\n\ndef total([first")
    assert "total([" not in total.body.split("first +")[0]


def test_functions_of_a_broken_file_are_those_that_are_whole():
    text = """
    int good(int x) { return x; }
    int broken(int x { return x;
    /* Sums all prices. */
    int total(int x) { return x + 1; }
    """
    read = functions("c", text)
    assert read.is_broken and "good" in [each.name for each in read.functions]
    assert all("{ return x;\n" not in each.text for each in read.functions)


def test_small_bodies():
    assert is_trivial("{ return this.name; }") and is_trivial("{}")
    assert is_trivial('{ throw new Error("not there in this version, sorry: %s", a, b, c); }')
    assert not is_trivial("{ const x = this.a + this.b; return x * this.c; }")


def test_a_text_that_takes_too_long_to_parse(monkeypatch):
    monkeypatch.setattr(grammar, "SECONDS", 0.1)
    assert functions("javascript", "/* \n" * 20_000) is None
    assert functions("javascript", "function f() {}\n" * 1_000) is not None
