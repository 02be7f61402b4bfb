// Uniform floats from SFC64 (Doty-Humphrey), several generators at a time in the lanes of vector registers.
// The numbers equal those that uniform.py draws with NumPy.

#include <cstdint>
#include <cstring>

#ifdef __AVX512F__
constexpr int LANES = 8;
#else
constexpr int LANES = 4;  // with 256-bit registers, twice as fast as vectors that need two of them
#endif
constexpr int GROUP = 8;  // rows are padded to a multiple of GROUP, which is a multiple of LANES
constexpr int DRAWS = 16;  // per generator at a time: few enough for the fastest cache
constexpr int FLOATS = 2 * DRAWS;
typedef uint64_t Lanes __attribute__((vector_size(8 * LANES)));

// state: a, b, c and the counter, (4, rows) with rows padded to a multiple of GROUP; advances by (columns + 1) / 2 draws.
// out: (rows, columns) numbers in [0, 1).
extern "C" void fill(uint64_t *state, float *out, int64_t rows, int64_t columns) {
    const int64_t padded = (rows + GROUP - 1) / GROUP * GROUP;
    for (int64_t row = 0; row < rows; row += LANES) {
        Lanes words[4];
        for (int i = 0; i < 4; i++) std::memcpy(&words[i], state + i * padded + row, sizeof(Lanes));
        Lanes a = words[0], b = words[1], c = words[2], counter = words[3];
        const int64_t lanes = rows - row < LANES ? rows - row : LANES;
        for (int64_t column = 0; column < columns; column += FLOATS) {
            const int64_t count = columns - column < FLOATS ? columns - column : FLOATS;
            uint64_t drawn[DRAWS][LANES];
            for (int k = 0; k < (count + 1) / 2; k++) {
                const Lanes sum = a + b + counter;
                counter += 1;
                a = b ^ (b >> 11);
                b = c + (c << 3);
                c = ((c << 24) | (c >> 40)) + sum;
                // The upper 23 bits of each half as the mantissa of a float in [1, 2).
                const Lanes floats = ((sum >> 9) & 0x007FFFFF007FFFFFu) | 0x3F8000003F800000u;
                std::memcpy(drawn[k], &floats, sizeof floats);
            }
            for (int64_t lane = 0; lane < lanes; lane++) {
                uint64_t bits[DRAWS] = {};
                float floats[FLOATS];
                for (int k = 0; k < DRAWS; k++) bits[k] = drawn[k][lane];
                std::memcpy(floats, bits, sizeof floats);
                for (int k = 0; k < FLOATS; k++) floats[k] -= 1.0f;
                float *to = out + (row + lane) * columns + column;
                if (count == FLOATS)
                    std::memcpy(to, floats, sizeof floats);  // size known at compile time: one store
                else
                    std::memcpy(to, floats, count * sizeof(float));
            }
        }
        words[0] = a, words[1] = b, words[2] = c, words[3] = counter;
        for (int i = 0; i < 4; i++) std::memcpy(state + i * padded + row, &words[i], sizeof(Lanes));
    }
}
