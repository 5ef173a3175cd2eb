#define NAME_SYMBOLS @SYMBOLS@ /* ids go from 0 to below it */
#define NAME_LONGEST @LONGEST@ /* bytes of a symbol at most */

/* The ids of a text in UTF-8 -> how many they are; there may be as many as the text has bytes.@UNKNOWN@ */
size_t name_encode(const char *text, size_t bytes, int32_t *ids);

/* The text of an id, not ended by a 0 -> its bytes. */
size_t name_decode(int32_t id, char *text);

/* How the next token is chosen: temperature 0 takes the likeliest, top_k 0 and top_p 1 all,
 * repetition_penalty 1 does nothing. */
typedef struct {
    double temperature;
    int32_t top_k;
    double top_p, repetition_penalty;
} name_sampling;

/* What choosing needs besides. */
typedef struct {
    double scores[NAME_SYMBOLS], chances[NAME_SYMBOLS];
    int32_t order[NAME_SYMBOLS];
} name_room;

/* The next token, by a number from 0 to below 1; -1 where scores are no numbers. `seen` [NAME_SYMBOLS]
 * is not 0 for the tokens that have been read, or NULL. Chances are double, as those of Elman. */
int32_t name_choose(const float *scores, const name_sampling *how, const unsigned char *seen,
                    double uniform, name_room *room);

/* The number for the token at a position, as `elman generate --seed` draws it. */
double name_uniform(uint64_t seed, uint64_t position);
